import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import schemas.article
import schemas.formats
import schemas.search
from retrieval.articles.article import article_batch
from schemas.article import Article, Substance
from schemas.protocols import StoredArticle

COLUMNS, MORE_COLUMNS = '"corrections"),\n', '"corrections", "volume", "substances"),\n'
DERIVED = ["schemas.search", "retrieval.rows.records", "actors.service.hits"]
LAST = '    """None: not known, in segments of format 1."""\n'
MORE = '    volume: str | None = None\n    substances: Annotated[tuple[str, ...], "name"] = ()\n'


def test_one_more_field_of_an_article_is_shown_by_its_line_and_a_format_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, old, new in ((schemas.article, LAST, LAST + MORE), (schemas.formats, COLUMNS, MORE_COLUMNS)):
        source = Path(str(module.__file__)).read_text()
        assert source.count(old) == 1
        edited = ModuleType(module.__name__)
        exec(source.replace(old, new), edited.__dict__)
        monkeypatch.setitem(sys.modules, module.__name__, edited)
    for name in DERIVED:
        monkeypatch.delitem(sys.modules, name)
    search, records, hits = (import_module(name) for name in DERIVED)

    article = Article(
        7, title="t", volume="3", substances=[Substance("D1", "Aspirin", None), Substance("D2", "Zinc", None)]
    )
    stored: Any = records.kept_of(pa.Table.from_batches([article_batch([article])])).cast(records.record_schema(2))
    [shown] = records.DisplayReader(stored).read(np.array([0]))
    answer = hits.article_response(StoredArticle(np.zeros(1, np.float32), shown), "v1")
    assert answer.model_dump_json(include={"volume", "substances"}) == '{"volume":"3","substances":["Aspirin","Zinc"]}'
    assert search.HitsRequest(fields=("substances",)).fields == ("substances",)
    assert records.KEPT_COLUMNS[-2:] == ("volume", "substances")
