import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.errors import UsageError
from schemas.filters import EVERYTHING, MAX_TERM_CHARS, MAX_VALUES, Condition, Wanted, parse_filter
from tests.support.service.filter_text import format_filter


def condition(field: str, op: str, value: object) -> Condition:
    return Condition.model_validate({"field": field, "op": op, "value": value})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (("year", "in", 2020), "in takes a list"),
        (("mesh", "=", ["Heart"]), "= takes one value"),
        (("year", ">=", [2020]), ">= takes one value"),
        (("mesh", "<", "Heart"), "< is for year; mesh takes =, !=, in and not in"),
        (("type", ">=", "Review"), ">= is for year; type takes =, !=, in and not in"),
        (("mesh", "in", []), "a list has 1 to 100 values, not 0"),
        (("mesh", "in", ["x"] * (MAX_VALUES + 1)), "a list has 1 to 100 values, not 101"),
        (("year", "=", "2020"), "year takes a whole number up to 9999"),
        (("year", "=", 10_000), "year takes a whole number up to 9999"),
        (("year", ">", -1), "year takes a whole number up to 9999"),
        (("year", "in", [2020, "2021"]), "year takes a whole number up to 9999"),
        (("journal", "=", 255562), "journal takes text of 1 to 500 characters"),
        (("journal", "=", "\ud800"), "journal takes text of 1 to 500 characters"),
        (("mesh", "in", ["Heart", "\ud800"]), "mesh takes text of 1 to 500 characters"),
        (("journal", "=", " "), "journal takes text of 1 to 500 characters"),
        (("journal", "in", ["x", "x" * (MAX_TERM_CHARS + 1)]), "journal takes text of 1 to 500 characters"),
        (("abstract", "=", "true"), "abstract takes yes or no"),
        (("retracted", "in", ["yes", 1]), "retracted takes yes or no"),
    ],
)
def test_a_condition_that_can_hold_for_no_article_is_refused(values: tuple[str, str, object], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        condition(*values)
    assert [error["msg"] for error in caught.value.errors()] == [reason]


@pytest.mark.parametrize(
    "values",
    [("mesh", "like", "x"), ("title", "=", "x"), ("year", "=", True), ("year", "=", 2020.5), ("mesh", "=", None)],
)
def test_a_condition_of_another_kind_is_refused(values: tuple[str, str, object]) -> None:
    with pytest.raises(ValidationError):
        condition(*values)


@pytest.mark.parametrize(
    "values",
    [
        ("year", ">=", 0),
        ("year", "in", [*range(MAX_VALUES)]),
        ("mesh", "not in", ["x" * MAX_TERM_CHARS]),
        ("retracted", "=", "YES"),
        ("abstract", "in", ["yes", "no"]),
    ],
)
def test_the_limits_are_allowed(values: tuple[str, str, object]) -> None:
    condition(*values)


def test_the_values_of_a_condition_are_one_or_those_of_its_list() -> None:
    assert condition("year", "<", 2000).values == (2000,)
    assert condition("type", "in", ["Review", "Letter"]).values == ("Review", "Letter")


def test_retracted_articles_are_left_out_unless_they_are_wanted() -> None:
    year, not_retracted = condition("year", "=", 2020), condition("retracted", "!=", "yes")
    assert Wanted().conditions == (not_retracted,)
    assert Wanted((year,)).conditions == (year, not_retracted)
    assert Wanted((year,), retracted=True).conditions == (year,)
    assert EVERYTHING.conditions == ()


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
