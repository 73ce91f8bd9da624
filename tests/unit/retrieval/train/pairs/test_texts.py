from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.texts import without
from schemas.pair import Span
from schemas.protocols import ArticleText

TEXT = st.text(alphabet="abc ", max_size=12)


@given(TEXT, TEXT, st.data())
def test_what_is_left_is_the_text_without_the_span(title: str, abstract: str, data: st.DataObject) -> None:
    in_title = data.draw(st.booleans())
    begin, end = (0, len(title)) if in_title else (len(title) + 1, len(title) + 1 + len(abstract))
    start = data.draw(st.integers(begin, end))
    drop = Span(start, data.draw(st.integers(start, end)))
    left = without(ArticleText(title, abstract), drop)
    whole = f"{title}\n{abstract}"
    assert f"{left.title}\n{left.abstract}" == whole[: drop.start] + whole[drop.stop :]


def test_no_span_leaves_all() -> None:
    assert without(ArticleText("a title", "an abstract"), Span(0, 0)) == ArticleText("a title", "an abstract")
