"""The texts of training: of an article without what its query was made of."""

from schemas.pair import Span
from schemas.protocols import ArticleText


def without(article: ArticleText, drop: Span) -> ArticleText:
    """Return an article's text without the characters of a span of its title, a line feed and its abstract."""
    title, abstract = article
    cut = len(title) + 1
    return ArticleText(
        title[: drop.start] + title[drop.stop :],
        abstract[: max(drop.start - cut, 0)] + abstract[max(drop.stop - cut, 0) :],
    )
