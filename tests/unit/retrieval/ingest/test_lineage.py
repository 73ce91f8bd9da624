from collections.abc import Sequence

import pytest

from retrieval.ingest.lineage import gaps, next_lineage, parts_in_order, pending_parts
from schemas.errors import InputError
from schemas.snapshot import Lineage, PartRef, SnapshotCounts, SnapshotInfo

B26 = ("pubmed26n0001", "pubmed26n0002")
B27 = ("pubmed27n0001", "pubmed27n0002")


def snapshot(names: Sequence[str], lineage: Lineage) -> SnapshotInfo:
    counts = SnapshotCounts(**dict.fromkeys(SnapshotCounts.model_fields, 0))
    parts = tuple(PartRef(name, "", 1, 0) for name in names)
    return SnapshotInfo(lineage=lineage, parts=parts, previous=None, counts=counts)


PLAIN = snapshot(["pubmed26n1300", "pubmed26n1301"], Lineage(number=0))
YEAR_26 = snapshot([*B26, "pubmed26n0003"], Lineage(number=3, baseline=B26))


def refusal(previous: SnapshotInfo | None, baseline: Sequence[str] | None, names: Sequence[str]) -> str:
    with pytest.raises(InputError) as error:
        next_lineage(previous, baseline, names)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_of_which_nobody_says_what_they_are_begin_a_lineage_without_baseline() -> None:
    assert next_lineage(None, None, ["pubmed26n0005", "other"]) == Lineage(number=0)


def test_later_files_go_on_with_the_lineage() -> None:
    assert next_lineage(PLAIN, None, ["pubmed26n1302"]) == PLAIN.lineage
    assert next_lineage(YEAR_26, None, ["pubmed26n0004", "other"]) == YEAR_26.lineage


def test_a_file_between_those_of_a_lineage_without_baseline_is_taken() -> None:
    assert next_lineage(PLAIN, None, ["pubmed26n0002"]) == PLAIN.lineage
    assert parts_in_order(PLAIN, PLAIN.lineage, ["pubmed26n0002"])[0] == "pubmed26n0002"


def test_a_baseline_begins_a_lineage_whatever_its_order() -> None:
    assert next_lineage(None, B26[::-1], B26) == Lineage(number=0, baseline=B26)


def test_the_baseline_in_use_goes_on_and_a_new_one_begins_the_next_lineage() -> None:
    assert next_lineage(YEAR_26, B26[::-1], [*B26, "pubmed26n0004"]) == YEAR_26.lineage
    assert next_lineage(YEAR_26, B27, B27) == Lineage(number=4, baseline=B27)
    assert next_lineage(PLAIN, B27, B27) == Lineage(number=1, baseline=B27)


def test_a_baseline_of_another_corpus_need_not_be_numbered() -> None:
    assert next_lineage(None, ["corpus"], ["corpus"]) == Lineage(number=0, baseline=("corpus",))


def test_a_baseline_with_a_gap_is_refused() -> None:
    assert refusal(YEAR_26, ["pubmed27n0002"], []).startswith("the baseline lacks pubmed27n0001; ")


def test_two_baselines_at_once_are_refused() -> None:
    assert refusal(None, [*B26, *B27], []).startswith("a baseline of the years 26 and 27 at once")


def test_an_older_baseline_is_refused() -> None:
    message = refusal(YEAR_26, ["pubmed25n0001"], [])
    assert message.startswith(
        "the baseline that begins with pubmed25n0001 is older than what is in use, from pubmed26n"
    )


def test_the_beginning_of_a_new_year_is_not_taken_for_an_update() -> None:
    for previous in (PLAIN, YEAR_26):
        message = refusal(previous, None, ["pubmed26n9000", *B27])
        assert message.startswith(
            f"pubmed27n0001 begins a new year's baseline, the store is at {previous.parts[-1].name}; "
        )
        assert "--baseline" in message


def test_what_is_known_may_be_given_again() -> None:
    assert next_lineage(YEAR_26, None, B26) == YEAR_26.lineage


def test_a_file_from_before_the_end_of_the_baseline_is_refused() -> None:
    message = refusal(YEAR_26, None, ["pubmed25n1400"])
    assert message == "pubmed25n1400 comes before the end of the baseline, pubmed26n0002; leave it out"


def test_parts_are_those_known_and_those_given_each_once_in_file_order() -> None:
    given = ["other", "pubmed26n0010", "pubmed26n0004", "pubmed26n0003"]
    expected = [*B26, "pubmed26n0003", "pubmed26n0004", "pubmed26n0010", "other"]
    assert parts_in_order(YEAR_26, YEAR_26.lineage, given) == expected


def test_a_new_lineage_has_none_of_the_old_parts() -> None:
    assert parts_in_order(YEAR_26, Lineage(number=4, baseline=B27), B27) == [*B27]
    assert parts_in_order(None, Lineage(number=0), B26) == [*B26]


FREE = snapshot(["corpus", "hotfix"], Lineage(number=0))


def test_files_whose_names_say_nothing_come_behind_all_that_is_there_in_natural_order() -> None:
    names = ["night-10", "night-9", "2024-12-01-update", "a"]
    in_order = ["corpus", "hotfix", "2024-12-01-update", "a", "night-9", "night-10"]
    assert parts_in_order(FREE, FREE.lineage, names) == in_order
    assert parts_in_order(None, FREE.lineage, ["b10", "b9"]) == ["b9", "b10"]


def test_pubmeds_files_come_behind_what_is_there_but_before_those_of_higher_numbers() -> None:
    mixed = snapshot(["pubmed26n0001", "hotfix", "pubmed26n0004"], Lineage(number=0))
    order = parts_in_order(mixed, mixed.lineage, ["pubmed26n0005", "pubmed26n0002", "more"])
    assert order == ["pubmed26n0001", "hotfix", "pubmed26n0002", "pubmed26n0004", "pubmed26n0005", "more"]


def test_files_of_any_name_go_on_with_a_baseline_that_is_not_pubmeds() -> None:
    of_corpus = snapshot(["corpus"], Lineage(number=0, baseline=("corpus",)))
    assert next_lineage(of_corpus, None, ["a", "corpus"]) == of_corpus.lineage


def test_missing_updates_are_named_unless_they_are_left_out() -> None:
    parts = [*B26, "pubmed26n0003", "pubmed26n0006", "hotfix"]
    whole = snapshot(parts, YEAR_26.lineage)
    assert gaps(whole) == ("pubmed26n0004", "pubmed26n0005")
    assert gaps(whole.model_copy(update={"left_out": ("pubmed26n0004",)})) == ("pubmed26n0005",)
    assert gaps(snapshot(B26, YEAR_26.lineage)) == ()
    assert gaps(snapshot(parts, PLAIN.lineage)) == ()
    assert gaps(snapshot(["corpus", *parts], Lineage(number=0, baseline=("corpus",)))) == ()


def test_parts_that_a_failed_run_left_belong_to_the_next_snapshot_of_their_lineage() -> None:
    unused = {"pubmed26n0004": 3, "extra": 3, "wrong": 4, "hotfix": 2}
    assert pending_parts(YEAR_26, YEAR_26.lineage, unused) == ["pubmed26n0004", "extra"]
    assert pending_parts(YEAR_26, Lineage(number=4, baseline=B27), unused) == []
    assert pending_parts(None, Lineage(number=0), {"b10": 0, "b9": 0}) == ["b9", "b10"]


def test_of_parts_that_do_not_say_their_lineage_pubmeds_are_those_of_its_year() -> None:
    unused = dict.fromkeys(["pubmed26n0004", "pubmed27n0001", "pubmed27n0002", "extra"])
    assert pending_parts(YEAR_26, YEAR_26.lineage, unused) == ["pubmed26n0004", "extra"]
