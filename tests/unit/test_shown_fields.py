import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import schemas.article
import schemas.search
from retrieval.articles.article import article_batch
from schemas.article import Article, Substance

DERIVED = ["schemas.search", "retrieval.rows.records", "actors.service.hits"]
LAST = "    languages: tuple[str, ...] = ()\n"
MORE = '    volume: str | None = None\n    substances: Annotated[tuple[str, ...], "name"] = ()\n'


def test_one_more_field_of_an_article_is_shown_by_one_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(schemas.article.__file__).read_text()
    edited = ModuleType("schemas.article")
    exec(source.replace(LAST, LAST + MORE), edited.__dict__)
    monkeypatch.setitem(sys.modules, "schemas.article", edited)
    for name in DERIVED:
        monkeypatch.delitem(sys.modules, name)
    search, records, hits = (import_module(name) for name in DERIVED)

    article = Article(
        7, title="t", volume="3", substances=[Substance("D1", "Aspirin", None), Substance("D2", "Zinc", None)]
    )
    stored: Any = records.kept_of(pa.Table.from_batches([article_batch([article])])).cast(records.RECORD_SCHEMA)
    [shown] = records.DisplayReader(stored).read(np.array([0]))
    answer = hits.article_response(shown, "v1")
    assert answer.model_dump_json(include={"volume", "substances"}) == '{"volume":"3","substances":["Aspirin","Zinc"]}'
    assert search.HitsRequest(fields=("substances",)).fields == ("substances",)
    assert records.KEPT_COLUMNS[-2:] == ("volume", "substances")
