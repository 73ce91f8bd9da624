from schemas.article import ARTICLE_SCHEMA, DisplayArticle
from schemas.base import digest
from schemas.formats import FORMATS, NEWEST
from schemas.layout import SEGMENT_MANIFEST


def test_what_a_format_holds_never_changes() -> None:
    """Stores have segments of it; whoever wants to hold more adds a format. The first is in every recipe."""
    digests = {number: digest(contents._asdict()) for number, contents in FORMATS.items()}
    assert digests == {1: "ae60eb14a51870ec", 2: "4e2d1a4c07dbc9c1"}


def test_a_format_holds_what_the_one_before_does() -> None:
    assert {*FORMATS[1].files} < {*FORMATS[2].files}
    assert FORMATS[2].columns[: len(FORMATS[1].columns)] == FORMATS[1].columns


def test_the_newest_format_has_all_that_is_shown() -> None:
    assert {*DisplayArticle._fields} <= {*FORMATS[NEWEST].columns} <= {*ARTICLE_SCHEMA.names}


def test_the_files_of_a_segment_have_names_of_their_own() -> None:
    assert len({*FORMATS[NEWEST].files, SEGMENT_MANIFEST}) == len(FORMATS[NEWEST].files) + 1 == 18
