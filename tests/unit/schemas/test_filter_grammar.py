import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.filter_grammar import format_filter, parse_filter
from schemas.filters import Condition


def condition(field: str, op: str, value: object) -> Condition:
    return Condition.model_validate({"field": field, "op": op, "value": value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n", []),
        ("year>=2020", [("year", ">=", 2020)]),
        ("  YEAR < 0005 ", [("year", "<", 5)]),
        ("year='1999'", [("year", "=", 1999)]),
        ("year not  in (1999,2000 , 2001)", [("year", "not in", (1999, 2000, 2001))]),
        ("language=eng", [("language", "=", "eng")]),
        ("journal=0255562", [("journal", "=", "0255562")]),
        ("journal!=and AND type in(in)", [("journal", "!=", "and"), ("type", "in", ("in",))]),
        (r"""journal = 'O\'Brien "\\" \n'""", [("journal", "=", 'O\'Brien "\\" n')]),
        (
            'year>=2020 and language=eng and type in ("Review", "Meta-Analysis") and mesh="Diabetes Mellitus" '
            'and abstract=yes and journal!="Lancet"',
            [
                ("year", ">=", 2020),
                ("language", "=", "eng"),
                ("type", "in", ("Review", "Meta-Analysis")),
                ("mesh", "=", "Diabetes Mellitus"),
                ("abstract", "=", "yes"),
                ("journal", "!=", "Lancet"),
            ],
        ),
    ],
)
def test_a_text_is_read_as_its_conditions(text: str, expected: list[tuple[str, str, object]]) -> None:
    assert parse_filter(text) == tuple(condition(*e) for e in expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "years>2",
            "filter, character 1, 'years>2': expected a field (year, language, journal, type, mesh, abstract, r",
        ),
        ("year 2020", "filter, character 6, '2020': expected an operator (=, !=, <, <=, >, >=, in, not in)"),
        ("year>=", "filter, end: expected a value"),
        ("year==2020", "filter, character 6, '=2020': expected a value"),
        ('mesh="Heart', "filter, character 6, '\"Heart': expected a value"),
        ("mesh=Diabetes Mellitus", "filter, character 15, 'Mellitus': expected 'and', or quotes around several words"),
        ("year>1 and", "filter, end: expected a field"),
        ("year>1 or year<1", "filter, character 8, 'or year<1': expected 'and'"),
        ("type in Review", "filter, character 9, 'Review': expected a list in parentheses"),
        ("type in ()", "filter, character 10, ')': expected a value"),
        ("type in (a b)", "filter, character 12, 'b)': expected ',' or ')'"),
        ("type in (a", "filter, end: expected ',' or ')'"),
        ("year>1 and year=MMXX and year<3", "filter, 'year=MMXX': year takes a whole number up to 9999"),
        ("year>99999999999", "filter, 'year>99999999999': year takes a whole number up to 9999"),
        ("language>eng", "filter, 'language>eng': > is for year; language takes =, !=, in and not in"),
        ("abstract=maybe", "filter, 'abstract=maybe': abstract takes yes or no"),
        ("journal=''", "filter, \"journal=''\": journal takes text of 1 to 500 characters"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_place_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(message)}"):
        parse_filter(text)


TEXTS = st.text(min_size=1, max_size=9).filter(lambda text: text.strip() != "")


YEARS = st.integers(0, 9999)


ANY_CONDITION = st.one_of(
    st.builds(condition, st.just("year"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), YEARS),
    st.builds(condition, st.just("year"), st.sampled_from(["in", "not in"]), st.lists(YEARS, min_size=1, max_size=3)),
    st.builds(condition, st.sampled_from(["mesh", "journal"]), st.sampled_from(["=", "!="]), TEXTS),
    st.builds(
        condition,
        st.sampled_from(["type", "language"]),
        st.sampled_from(["in", "not in"]),
        st.lists(TEXTS, min_size=1, max_size=3),
    ),
    st.builds(condition, st.just("abstract"), st.just("="), st.sampled_from(["yes", "No"])),
)


@given(st.lists(ANY_CONDITION, max_size=4))
def test_conditions_come_back_from_their_text(conditions: list[Condition]) -> None:
    text = format_filter(conditions)
    assert parse_filter(text) == tuple(conditions)
    assert format_filter(parse_filter(text)) == text


@given(st.text(alphabet="year mesh=<>!in not()and,'\"\\20"))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        parse_filter(text)
    except UsageError as error:
        assert "\n" not in str(error)
