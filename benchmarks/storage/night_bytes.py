"""What a night fetches of a bucket, on a node whose cache is empty.

    python -m benchmarks.storage.night_bytes [--json]

The base are the embedded files of PubMed: real records, with vectors that are made (384 dimensions). The night is 1 %
of them: 40 % new articles, 25 % revised in text, 25 % in metadata, 5 % issued again, 5 % deletions, which the embedded
encoder encodes. Bytes are counted at the server's side of a proxy. `of the version` is their share of the bytes of the
version that the night builds on, of which 0.15 is the limit.
"""

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.stores import open_store
from benchmarks.storage.random_vectors import write_vectors
from jobs import index, ingest, nightly, promote
from jobs.common.config import ROOT, load_config
from jobs.common.console import megabytes, say, table
from jobs.common.store import served_version
from retrieval.ingest.made_files import write_night
from schemas.config import Config
from schemas.layout import Layout
from tests.support.pubmed.made_night import made_night
from tests.support.s3.bucket_server import Bucket, bucket

BASE = "pubmed21n1298.xml.gz"
SHARES = {"new": 0.4, "text": 0.25, "metadata": 0.25, "again": 0.05, "deleted": 0.05}
FIRST_NEW = 50_000_000
CANARIES = ROOT / "infra" / "canaries.toml"


def main() -> None:
    """Make the base, run the night, print what was fetched."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, bucket() as server:
        config = load_config(
            None, ["selection.rule=abstract"], {"PUBRAY_STORE": "s3://b-1/night", "PUBRAY_CACHE": f"{folder}/cache"}
        )
        config = config.with_values(
            encoder={"article": {"model": model(config)}, "query": {"model": model(config)}},
            index={"max_deltas": 9, "recall_floor": 0, "canaries": str(CANARIES), "canary_floor": 0},
            embed={"min_agreement": -1},  # the vectors of the base are not the encoder's
        )
        ingest.run(config, source=str(embedded_folder("pubmed", Path("~/.cache/pubray").expanduser())))
        write_vectors(config)
        promote.run(config, version=index.run(config).version)
        version = served_version(open_store(config))
        source = make_night(config, Path(folder), version.articles // 100)
        config = config.with_values(cache=f"{folder}/empty")
        server.proxy.seen.clear()
        start = time.perf_counter()
        report = nightly.night(config, source=str(source))
        seconds = time.perf_counter() - start
        show(server, version.bytes, version.articles, report.embed.encoded, seconds, as_json=options.json)


def model(config: Config) -> str:
    """Return the folder of the embedded model, which is not to be fetched again."""
    return str(embedded_folder("all-MiniLM-L6-v2", Path("~/.cache/pubray").expanduser()))


def make_night(config: Config, folder: Path, records: int, number: int = 0) -> Path:
    """Write the file of a night of so many records, spread over those of the base that have an abstract.

    number: of the night; each takes others.
    """
    store = open_store(config)
    with store.parquet(Layout.article_part(BASE.removesuffix(".xml.gz"))) as file:
        found = file.read(["pmid", "abstract", "deleted"])
    has_text = np.array(found["abstract"].to_pylist()) != ""
    pmids = np.unique(found["pmid"].to_numpy()[has_text])
    chosen = np.random.default_rng(1).permutation(pmids)[number * records : (number + 1) * records]
    ends = np.cumsum([round(records * share) for share in SHARES.values()])[:-1]
    new, text, metadata, again, deleted = (part.tolist() for part in np.split(chosen, ends))
    added = {FIRST_NEW + pmid: pmid for pmid in new}
    night = made_night(date(2026, 11, 30) + timedelta(number), added, text, metadata, reissued=again, deleted=deleted)
    source = embedded_folder("pubmed", Path("~/.cache/pubray").expanduser()) / BASE
    return write_night(source, folder, f"pubmed21n{1299 + number}.xml.gz", night)


def show(server: Bucket, size: int, articles: int, encoded: int, seconds: float, *, as_json: bool) -> None:
    """Print the bytes by kind of object."""
    fetched, requests = Counter[str](), Counter[str]()
    for one in server.proxy.seen:
        verb, path = one.line.split()[:2]
        kind = re.sub(r"/b-1/night/|\?.*|/[^/]*$", "", path).split("/")[0] or "lists"
        name = path.split("?")[0].rsplit("/", 1)[-1] if kind == "segments" else kind
        fetched[name] += one.bytes if verb == "GET" else 0
        requests[name] += 1
    total = sum(fetched.values())
    if as_json:
        say(json.dumps({"version": size, "fetched": dict(fetched), "requests": dict(requests), "share": total / size}))
        return
    rows = [[name, requests[name], megabytes(b), b / size] for name, b in fetched.most_common()]
    rows.append(["all", sum(requests.values()), megabytes(total), total / size])
    say(f"{articles:,} articles, a version of {megabytes(size)}; a night of 1 %, {encoded} encoded, {seconds:.0f} s")
    say(table(["object", "requests", "fetched", "of the version"], rows))


if __name__ == "__main__":
    main()
