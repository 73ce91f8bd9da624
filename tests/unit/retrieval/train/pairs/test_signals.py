from typing import Any

import pytest

from retrieval.train.pairs.signals import SIGNALS, Asked, Source
from retrieval.train.pairs.texts import without
from schemas.pair import OwnSignal, Span
from schemas.protocols import ArticleText

PLAIN = (
    "Muscle pain is a frequent complaint of patients. We gave ten old mice a statin for a week. "
    "Pain was significantly lower in nine of the ten mice. The others slept through most of the long test. "
    "Statins may therefore help against the muscle pain of old mice."
)
SECTIONS = [
    {"label": "AIM", "category": "OBJECTIVE", "text": "To see whether statins help old mice with pain in muscles."},
    {"label": "RESULTS", "category": "RESULTS", "text": "Pain was lower in nine of ten mice that had statins."},
    {"label": "END", "category": "CONCLUSIONS", "text": "Statins help against the muscle pain of most old mice."},
]


def article(**values: Any) -> Source:
    of: dict[str, Any] = {"pmid": 1, "title": "Statins in old mice", "abstract": PLAIN}
    return Source(**of | {"abstract_sections": [], "mesh": [], "keywords": [], "corrections": []} | values)


def structured() -> Source:
    return article(abstract="\n".join(f"{s['label']}: {s['text']}" for s in SECTIONS), abstract_sections=SECTIONS)


def asked(signal: OwnSignal, of: Source) -> Asked:
    [one] = SIGNALS[signal](of)
    return one


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("of", [article(), structured()], ids=["plain", "structured"])
def test_a_query_is_not_in_the_text_that_is_left(signal: OwnSignal, of: Source) -> None:
    for one in SIGNALS[signal](of):
        left = without(ArticleText(of.title, of.abstract), one.drop)
        assert one.query
        assert one.query not in f"{left.title}\n{left.abstract}"


def test_a_title_asks_for_its_abstract() -> None:
    assert asked("title", article(title="[Statins in old mice].")) == Asked("Statins in old mice", Span(0, 22))
    assert [*SIGNALS["title"](article(title="Statins"))] == []
    assert [*SIGNALS["title"](article(abstract="No more than this."))] == []


def test_of_a_plain_abstract_the_last_sentence_is_the_conclusion_and_a_finding_before_it_a_result() -> None:
    assert asked("conclusion", article()).query == "Statins may therefore help against the muscle pain of old mice."
    assert asked("result", article()).query == "Pain was significantly lower in nine of the ten mice."


def test_of_sections_nlm_says_which_they_are() -> None:
    assert asked("conclusion", structured()).query == SECTIONS[2]["text"]
    assert asked("result", structured()).query == SECTIONS[1]["text"]
    assert asked("section", structured()).query in {section["text"] for section in SECTIONS}


def test_an_abstract_that_would_be_left_with_too_little_is_not_asked_for() -> None:
    short = article(abstract="Nobody knows. " + SECTIONS[2]["text"])
    assert [*SIGNALS["conclusion"](short)] == []


def test_major_topics_are_asked_for_with_their_qualifiers() -> None:
    def heading(descriptor: str, major: bool, *qualifiers: tuple[str, bool]) -> dict[str, Any]:
        return {
            "descriptor": descriptor,
            "major": major,
            "qualifiers": [{"name": n, "major": m} for n, m in qualifiers],
        }

    mesh = [
        heading("Mice", False),
        heading("Statins", False, ("adverse effects", True), ("blood", False)),
        heading("Pain", True),
    ]
    assert asked("mesh", article(mesh=mesh)) == Asked("Statins adverse effects, Pain")
    assert [*SIGNALS["mesh"](article(mesh=mesh[:2]))] == []


def test_keywords_are_asked_for_together() -> None:
    assert asked("keywords", article(keywords=["statin", "pain"])) == Asked("statin, pain")
    assert [*SIGNALS["keywords"](article(keywords=["statin"]))] == []


def test_a_comment_is_asked_of_what_it_is_about_and_the_title_of_an_article_that_others_are_like_of_one() -> None:
    named = [("CommentOn", 7), ("CommentIn", 8), ("ErratumFor", 9), ("CommentOn", None)]
    of = article(corrections=[{"type": type_, "pmid": pmid} for type_, pmid in named], alike=5)
    assert [(one.query, one.pmid) for one in SIGNALS["comment"](of)] == [(of.title, 7), (of.title, 9)]
    assert [*SIGNALS["comment"](of._replace(title="Comment on: Statins in old mice"))] == []
    assert asked("topics", of) == Asked(of.title, pmid=5)
    assert [*SIGNALS["topics"](article())] == []
