"""That the embedded model gets better at what it never saw, and that what it learns is which article answers."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from actors.store.local_store import LocalStore
from jobs import ingest, mine, train_retriever
from retrieval.train.pairs.pair_sets import pair_set, write_pairs
from schemas.config import Config
from schemas.layout import Layout
from schemas.quality_report import PairedDifference
from tests.support.pubmed.pubmed_files import BASELINE, cut, real_records

pytestmark = pytest.mark.whole
ARTICLES, BETTER = 9000, 0.005
MINE = {"signals": ["result", "conclusion"], "near": 0, "negatives": 0, "held_out": 0.3}
TRAIN = {"loss": "two-way", "distil": "none", "neighbours": 1, "batch": 64, "steps": 40, "warmup": 4, "measured": 600}


@pytest.fixture(scope="module")
def pairs(cluster: None, config: Config, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    folder = tmp_path_factory.mktemp("learns")
    cut(folder / f"{BASELINE}.xml.gz", real_records(cache, BASELINE, ARTICLES))
    own = config.with_values(store=str(folder / "store"), mine=MINE, train=TRAIN)
    ingest.run(own, source=str(folder))
    return own, mine.run(own).pairs


def difference(config: Config, pairs: str) -> PairedDifference:
    """nDCG@10 of sentences that were held out, of the trained model less the start model."""
    report = train_retriever.run(config, pairs=pairs)
    assert (report.steps, report.trained_on >= 40 * 64) == (40, True)
    return report.held_out_ndcg["result"].difference


def shuffled(config: Config, pairs: str) -> str:
    """The same set, but the queries of those that are trained on are answered by the articles of others."""
    store = LocalStore(config.store)
    with store.parquet(Layout.pairs(pairs)) as file:
        about, table = pair_set(file), file.read()
    rows = table.to_pylist()
    train = [number for number, row in enumerate(rows) if row["split"] == "train"]
    others = np.random.default_rng(1).permutation(train).tolist()
    answers = [(rows[other]["pmid"], rows[other]["drop"]) for other in others]
    for number, (pmid, drop) in zip(train, answers, strict=True):
        rows[number] |= {"pmid": pmid, "drop": drop}
    with store.incoming(Layout.pairs("shuffled")) as path:
        write_pairs(path, [pa.Table.from_pylist(rows, table.schema)], about)
    return "shuffled"


def test_forty_steps_find_more_by_sentences_and_not_where_the_answers_are_shuffled(pairs: tuple[Config, str]) -> None:
    learnt = difference(*pairs)
    assert learnt.mean >= BETTER
    assert learnt.low > 0
    config, name = pairs
    assert difference(config, shuffled(config, name)).mean < 0
