from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.files.parquet import opened
from retrieval.train.pairs.answers import drawn, pair_hashes
from retrieval.train.pairs.pair_sets import lists, mixed_pairs, pair_set, pair_table, query_keys, write_pairs
from schemas.errors import IntegrityError
from schemas.pair import PAIR_SCHEMA, Pair, PairSet, Span

PAIRS = [
    Pair("q1", "pain in mice", 7, "title", "train", Span(0, 12), near=(3, 4), negatives=(9,)),
    Pair("q2", "statin", 8, "file", "held-out", instruction="Find it", weight=2.5),
]
ABOUT = PairSet(snapshot="s", version="v", inputs={"seed": 0}, counts={"title": {"train": 1}})


def test_a_set_is_read_as_it_was_written_and_says_what_it_was_made_from(tmp_path: Path) -> None:
    write_pairs(tmp_path / "set.parquet", [pair_table(PAIRS[:1]), pair_table(PAIRS[1:])], ABOUT)
    with opened(tmp_path / "set.parquet") as file:
        assert pair_set(file) == ABOUT
        table = file.read()
    assert table.schema.equals(PAIR_SCHEMA)
    rows = [
        row
        | {
            "drop": Span(**row["drop"]),
            "near": tuple(row["near"]),
            "negatives": tuple(row["negatives"]),
            "scores": tuple(row["scores"]),
        }
        for row in table.to_pylist()
    ]
    assert [Pair(**row) for row in rows] == PAIRS
    assert [of.tolist() for of in lists(table["near"])] == [[3, 4], []]


def test_lists_of_a_part_of_a_table_are_its_own() -> None:
    table = pair_table([PAIRS[1], *PAIRS]).slice(1)
    assert [of.tolist() for of in lists(table["negatives"])] == [[9], []]


def test_another_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pair_table(PAIRS), tmp_path / "other.parquet")
    with (
        pytest.raises(IntegrityError, match=r"other\.parquet: not a set of pairs; name one that mine has made"),
        opened(tmp_path / "other.parquet") as file,
    ):
        pair_set(file)


def test_the_same_pairs_are_the_same_bytes(tmp_path: Path) -> None:
    for name, cut in (("a", 1), ("b", 2)):
        write_pairs(tmp_path / name, [pair_table(PAIRS[:cut]), pair_table(PAIRS[cut:])], ABOUT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_of_a_signals_pairs_a_share_is_taken_and_of_others_all() -> None:
    pairs = [
        Pair(f"{number:016x}", str(number), number, signal, "train")
        for number in range(2000)
        for signal in (("title", "mesh") if number % 2 else ("keywords",))
    ]
    found = mixed_pairs(pair_table(pairs), {"title": 0.25, "keywords": 0}).to_pylist()
    counts = Counter(row["signal"] for row in found)
    assert counts["mesh"] == 1000
    assert counts["keywords"] == 0
    assert 200 < counts["title"] < 300
    more = mixed_pairs(pair_table(pairs), {"title": 0.5}).to_pylist()
    assert {r["query"] for r in found if r["signal"] == "title"} < {r["query"] for r in more if r["signal"] == "title"}


def test_a_share_of_a_set_that_was_limited_is_a_share_of_what_is_left() -> None:
    pairs = pair_table(Pair(f"{number:016x}", f"query {number}", number, "title", "train") for number in range(1, 4001))
    hashes = pair_hashes(query_keys(pairs), pairs["pmid"].to_numpy())
    limited = pairs.filter(pa.array(drawn(hashes, 800)))
    assert 320 < len(mixed_pairs(limited, {"title": 0.5})) < 480
