import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.filters import (
    EVERYTHING,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_PMIDS,
    MAX_TERM_CHARS,
    MAX_VALUES,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Filters,
    Wanted,
    asks_for_retracted,
    fold,
    is_issn,
    leaves,
)


def condition(field: str, op: str, value: object) -> Condition:
    return Condition.model_validate({"field": field, "op": op, "value": value})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (("year", "in", 2020), "in takes a list"),
        (("mesh", "=", ["Heart"]), "= takes one value"),
        (("year", ">=", [2020]), ">= takes one value"),
        (("mesh", "<", "Heart"), "< is for year and date; mesh takes =, !=, in and not in"),
        (("type", ">=", "Review"), ">= is for year and date; type takes =, !=, in and not in"),
        (("mesh", "in", []), "a list has 1 to 100 values, not 0"),
        (("mesh", "in", ["x"] * (MAX_VALUES + 1)), "a list has 1 to 100 values, not 101"),
        (("year", "=", "2020"), "year takes a whole number up to 9999"),
        (("year", "=", 10_000), "year takes a whole number up to 9999"),
        (("year", ">", -1), "year takes a whole number up to 9999"),
        (("year", "in", [2020, "2021"]), "year takes a whole number up to 9999"),
        (("date", ">=", 2024), "date takes a date as text: 2024, 2024-03 or 2024-03-07"),
        (("date", "=", "2024-02-30"), "date takes a date as text: 2024, 2024-03 or 2024-03-07"),
        (("date", "=", "2024-13"), "date takes a date as text: 2024, 2024-03 or 2024-03-07"),
        (("date", "<", "2024-3"), "date takes a date as text: 2024, 2024-03 or 2024-03-07"),
        (("date", "in", ["2024", "٢٠٢٤"]), "date takes a date as text: 2024, 2024-03 or 2024-03-07"),
        (("pmid", "=", "402406"), "pmid takes a whole number up to 999999999999999999"),
        (("pmid", "<", 402406), "< is for year and date; pmid takes =, !=, in and not in"),
        (("pmid", "in", [*range(MAX_PMIDS + 1)]), "give at most 10000 items"),
        (("author", "=", 7), "author takes text of 1 to 500 characters"),
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
        ("pmid", "not in", [*range(MAX_PMIDS)]),
        ("date", ">=", "2024-02-29"),
        ("date", "in", ["0001", "9999-12"]),
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


ADAPTER = TypeAdapter[tuple[Filter, ...]](Filters)
YEAR: dict[str, object] = {"field": "year", "op": "=", "value": 2020}
MESH: dict[str, object] = {"field": "mesh", "op": "=", "value": "Heart"}


def test_groups_come_from_json_and_go_back_to_it() -> None:
    said = [YEAR, {"any": [MESH, {"all": [YEAR, MESH]}]}]
    filters = ADAPTER.validate_python(said)
    year, mesh = condition("year", "=", 2020), condition("mesh", "=", "Heart")
    assert filters == (year, AnyOf(any=(mesh, AllOf(all=(year, mesh)))))
    assert ADAPTER.dump_python(filters, mode="json") == said
    assert [*leaves(filters)] == [year, mesh, year, mesh]
    assert len({Wanted(filters), Wanted(ADAPTER.validate_python(said)), Wanted(filters[:1])}) == 2


def nested(depth: int) -> object:
    return YEAR if depth == 0 else {"any" if depth % 2 else "all": [nested(depth - 1)]}


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ([{"any": [YEAR] * 9}, {"all": [MESH] * 8}], "17 conditions; a request has up to 16 in all"),
        ([nested(MAX_DEPTH + 1)], "groups are in groups up to 8 deep; say it with fewer"),
        ([{"any": []}], "Tuple should have at least 1 item after validation, not 0"),
    ],
)
def test_more_than_is_allowed_is_refused(filters: list[object], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(filters)
    assert [error["msg"] for error in caught.value.errors()] == [reason]


def test_as_much_as_is_allowed_is_taken() -> None:
    ADAPTER.validate_python([{"any": [YEAR] * (MAX_CONDITIONS // 2)}, {"all": [MESH] * (MAX_CONDITIONS // 2)}])
    ADAPTER.validate_python([nested(MAX_DEPTH)])


@pytest.mark.parametrize("depth", [100, 500, 900])
def test_groups_however_deep_are_refused_without_a_crash(depth: int) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python([nested(depth)])


@pytest.mark.parametrize(
    "wrong", [{}, {"any": [YEAR], "all": [YEAR]}, {"any": YEAR}, {"any": [1]}, "year=2020", [YEAR], None]
)
def test_what_is_no_filter_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python([wrong])


@pytest.mark.parametrize(
    ("values", "asks"),
    [
        (("retracted", "=", "no"), True),
        (("type", "=", "Retracted  Publication."), True),
        (("type", "in", ["Review", "d016441"]), True),
        (("type", "!=", "Retracted Publication"), False),
        (("type", "=", "Retraction of Publication"), False),
        (("mesh", "=", "D016441"), False),
    ],
)
def test_retracted_articles_may_be_found_where_a_filter_asks_for_them(
    values: tuple[str, str, object], asks: bool
) -> None:
    one, year = condition(*values), condition("year", "=", 2020)
    assert asks_for_retracted([one]) is asks_for_retracted([AnyOf(any=(year, AllOf(all=(year, one))))]) is asks
    assert not asks_for_retracted([])


def test_a_name_is_matched_whatever_its_case_periods_and_spaces() -> None:
    assert fold(" N. Engl.  J. Med.") == fold("n engl j med") == "n engl j med"


def test_an_issn_is_told_from_other_names_of_a_journal() -> None:
    assert [is_issn(name) for name in ("1533-4406", "0028-4793 ", "1234-567x", "1234-567X")] == [True] * 4
    assert [is_issn(name) for name in ("Lancet", "0255562", "1533-44066", "153-4406", "0028-479y")] == [False] * 5
