import pyarrow as pa

from schemas.article import ARTICLE_SCHEMA, DisplayArticle


def test_an_article_is_known_by_its_pmid_or_the_corpuss_own_id() -> None:
    article = DisplayArticle(7, None, "T", "A")
    assert (article.id, article._replace(doc_id="doc-a").id) == ("7", "doc-a")


def test_no_list_of_an_article_is_null() -> None:
    lists = [field for field in ARTICLE_SCHEMA if pa.types.is_list(field.type)]
    assert len(lists) > 8
    assert not any(field.nullable for field in lists)


def test_what_an_answer_shows_is_of_the_article_part() -> None:
    assert {*DisplayArticle._fields} <= {*ARTICLE_SCHEMA.names}
