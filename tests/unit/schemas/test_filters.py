import pytest
from pydantic import ValidationError

from schemas.filters import EVERYTHING, MAX_TERM_CHARS, MAX_VALUES, Condition, Wanted


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
