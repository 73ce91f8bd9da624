"""The task that parses one source file, without Ray."""

import hashlib
from pathlib import Path
from typing import Any, cast

import pytest

from jobs.steps.ingest.parse_sources import parse_source
from retrieval.articles.article import read_article_part
from schemas.errors import InputError
from schemas.layout import Layout

XML = (
    "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>One</ArticleTitle></Article>"
    "</MedlineCitation></PubmedArticle></PubmedArticleSet>"
)


def test_a_source_becomes_a_part_if_its_md5_is_right(tmp_path: Path) -> None:
    layout, task = Layout(str(tmp_path / "store")), cast("Any", parse_source)
    parse = task._function
    file = tmp_path / "a.xml"
    file.write_text(XML)
    md5 = tmp_path / "a.xml.md5"
    md5.write_text(f"MD5(a.xml)= {'0' * 32}\n")
    with pytest.raises(InputError, match=rf"^{file}: md5 [0-9a-f]{{32}}, published is 0{{32}}; download it again$"):
        parse(layout, file)
    assert not Path(layout.article_part("a")).exists()
    md5.write_text(f"MD5(a.xml)= {hashlib.md5(XML.encode()).hexdigest()}\n")
    part = parse(layout, file)
    assert (part.ref.name, part.ref.rows, part.source_bytes) == ("a", 1, len(XML))
    assert read_article_part(Path(layout.article_part("a"))) == part
