"""Small chunks of published embeddings, laid out as NCBI's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

DIMENSION = 4

Texts = Mapping[int, tuple[str, str]]


def vector(pmid: int) -> NDArray[np.float32]:
    """Return the vector of an article: float16 numbers, another one for each PMID."""
    return np.array([pmid % 1000, pmid // 1_000_000, -1.5, 0.25], np.float32)


def text(pmid: int) -> tuple[str, str]:
    return f"Title of {pmid}.", f"Abstract of {pmid}, p < 0.05."


def write_chunk(folder: Path, number: int, pmids: Sequence[int], texts: Texts | None = None) -> None:
    """Write vectors and PMIDs, and texts if there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"embeds_chunk_{number}.npy", np.array([vector(pmid) for pmid in pmids]))
    write_json(folder / f"pmids_chunk_{number}.json", [str(pmid) for pmid in pmids])
    if texts is not None:
        records = {str(p): {"d": "19760101", "t": t, "a": a, "m": "humans!|"} for p, (t, a) in texts.items()}
        write_json(folder / f"pubmed_chunk_{number}.json", records)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def articles(texts: Texts) -> pa.Table:
    """Return articles as they are asked for."""
    titles, abstracts = zip(*texts.values(), strict=True) if texts else ((), ())
    columns = {
        "pmid": pa.array(list(texts), pa.int64()),
        "text_hash": pa.array([0] * len(texts), pa.uint64()),
        "title": pa.array(titles, pa.string()),
        "abstract": pa.array(abstracts, pa.string()),
    }
    return pa.table(columns)
