import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.filter_text import parse_filter
from schemas.filters import MAX_CONDITIONS, AllOf, AnyOf, Filter, leaves
from tests.support.service.filter_text import format_filter
from tests.unit.schemas.test_filters import condition


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
            "filter, character 1, 'years>2': expected a field (year, date, language, journal, type, mesh, author, pmid",
        ),
        ("year 2020", "filter, character 6, '2020': expected an operator (=, !=, <, <=, >, >=, in, not in)"),
        ("year>=", "filter, end: expected a value"),
        ("year==2020", "filter, character 6, '=2020': expected a value"),
        ('mesh="Heart', "filter, character 6, '\"Heart': expected a value"),
        ("mesh=Diabetes Mellitus", "filter, character 15, 'Mellitus': expected 'and', 'or', or quotes around"),
        ("year>1 and", "filter, end: expected a field"),
        ("year>1 or", "filter, end: expected a field"),
        ("(year>1", "filter, end: expected 'and', 'or' or ')'"),
        ("year>1)", "filter, character 7, ')': expected 'and', 'or', or quotes around several words"),
        ("()", "filter, character 2, ')': expected a field"),
        ("year>1 not year<1", "filter, character 8, 'not year<1': expected 'and', 'or'"),
        ("(" * 9 + "year>1" + ")" * 9, "filter, character 9: parentheses in parentheses, more than 8 deep"),
        ("(" * 100_000, "filter, character 9: parentheses in parentheses, more than 8 deep"),
        ("pmid=MED-10", "filter, 'pmid=MED-10': pmid takes a whole number up to 999999999999999999"),
        ("date>=2024-3", "filter, 'date>=2024-3': date takes a date as text: 2024, 2024-03 or 2024-03-07"),
        ("type in Review", "filter, character 9, 'Review': expected a list in parentheses"),
        ("type in ()", "filter, character 10, ')': expected a value"),
        ("type in (a b)", "filter, character 12, 'b)': expected ',' or ')'"),
        ("type in (a", "filter, end: expected ',' or ')'"),
        ("year>1 and year=MMXX and year<3", "filter, 'year=MMXX': year takes a whole number up to 9999"),
        ("year>99999999999", "filter, 'year>99999999999': year takes a whole number up to 9999"),
        ("language>eng", "filter, 'language>eng': > is for year and date; language takes =, !=, in and not in"),
        ("abstract=maybe", "filter, 'abstract=maybe': abstract takes yes or no"),
        ("journal=''", "filter, \"journal=''\": journal takes text of 1 to 500 characters"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_place_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(message)}"):
        parse_filter(text)


NOT_THAT_DAY = condition("date", "!=", "2024-03-07")
YEAR, REVIEW, HEART = (
    condition(*values) for values in (("year", "=", 2020), ("type", "=", "Review"), ("mesh", "=", "Heart"))
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("year=2020 or type=Review", (AnyOf(any=(YEAR, REVIEW)),)),
        ("year=2020 OR type=Review and mesh=Heart", (AnyOf(any=(YEAR, AllOf(all=(REVIEW, HEART)))),)),
        ("(year=2020 or type=Review) and mesh=Heart", (AnyOf(any=(YEAR, REVIEW)), HEART)),
        ("((year=2020)and((type=Review)))", (YEAR, REVIEW)),
        ("year=2020 and (type=Review and mesh=Heart)", (YEAR, AllOf(all=(REVIEW, HEART)))),
        ("(" * 8 + "year=2020" + ")" * 8, (YEAR,)),
        ("pmid in (1, 402406)", (condition("pmid", "in", [1, 402406]),)),
        ("date>=2024-03 and date!='2024-03-07'", (condition("date", ">=", "2024-03"), NOT_THAT_DAY)),
        ('author="Smith, J. A."', (condition("author", "=", "Smith, J. A."),)),
    ],
)
def test_and_binds_tighter_than_or_and_parentheses_tighter_than_both(text: str, expected: tuple[Filter, ...]) -> None:
    assert parse_filter(text) == expected


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
    st.builds(
        condition, st.just("pmid"), st.sampled_from(["in", "not in"]), st.lists(st.integers(0, 10**18 - 1), min_size=1)
    ),
    st.builds(condition, st.just("date"), st.sampled_from(["=", "<", ">="]), st.dates().map(str) | st.just("2024-03")),
)


def groups(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return several.map(lambda found: AnyOf(any=found)) | several.map(lambda found: AllOf(all=found))


ANY_FILTER: st.SearchStrategy[Filter] = st.recursive(ANY_CONDITION, groups, max_leaves=9)


@given(st.lists(ANY_FILTER, min_size=2, max_size=4) | st.lists(ANY_CONDITION, max_size=1))
def test_filters_come_back_from_their_text(filters: list[Filter]) -> None:
    assume(sum(1 for _ in leaves(filters)) <= MAX_CONDITIONS)
    text = format_filter(filters)
    assert parse_filter(text) == tuple(filters)
    assert format_filter(parse_filter(text)) == text


@given(st.text(alphabet="year mesh=<>!in not()and or,'\"\\20"))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        parse_filter(text)
    except UsageError as error:
        assert "\n" not in str(error)
