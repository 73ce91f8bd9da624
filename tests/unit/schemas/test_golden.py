from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.golden import parse_golden

TEXT = {"text": "statins", "first": [0.1], "last": [0.2]}
ARTICLE = {"title": "t", "abstract": "a", "first": [0.1], "last": [0.2]}
VALUES = {"encoders": ["E"], "source": "README", "tolerance": 0.001, "query": [TEXT], "article": [ARTICLE]}
BARE = {"query": [{"text": "statins"}], "article": [{"title": "t", "abstract": "a"}]}


def test_texts_have_numbers_or_there_is_a_procedure() -> None:
    assert parse_golden(VALUES, "f").query[0].last == (0.2,)
    assert parse_golden(VALUES | BARE | {"procedure": "bmretriever"}, "f").query[0].last == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (BARE, "each text has first and last numbers, or there is a procedure"),
        ({"procedure": "bmretriever"}, "each text has first and last numbers, or there is a procedure"),
        ({"query": [TEXT, TEXT | {"last": []}]}, "each text has first and last numbers"),
        ({"query": []}, "query = []: tuple should have at least 1 item"),
        ({"procedure": "magic"}, "procedure = 'magic': input should be 'bmretriever'"),
        ({"tolerance": 0}, "tolerance = "),
        ({"article": [ARTICLE | {"pmid": 1}]}, "article.0.pmid = 1: extra inputs are not permitted"),
        ({"rerank": {"query": "q", "article": [{"title": "t", "abstract": "a"}]}}, "rerank.article.0.logit: "),
    ],
)
def test_what_is_wrong_is_named_in_one_line(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_golden(VALUES | change, "golden.toml")
    assert str(error.value).startswith("golden.toml: ")
    assert named in str(error.value)
    assert "\n" not in str(error.value)
