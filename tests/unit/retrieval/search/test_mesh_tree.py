from hypothesis import given
from hypothesis import strategies as st

from retrieval.search.mesh_tree import MeshTree

LINES = [
    ("Neoplasms", "C04", "D009369"),
    ("Cysts", "C04.182", ""),
    ("Bone Cysts", "C04.182.089", "D001845"),
    ("Bone Cysts", "C05.116.070", "D001845"),
    ("Jaw Cysts", "C05.116.070.500", ""),
    ("Bone Diseases", "C05.116", ""),
    ("Musculoskeletal Diseases", "C05", ""),
]


def tree(*lines: tuple[str, str, str]) -> MeshTree:
    return MeshTree("".join("\t".join(line) + "\n" for line in lines))


def test_a_heading_takes_in_all_that_are_below_any_of_its_places() -> None:
    made = tree(*reversed(LINES))
    assert made.names_below("NEOPLASMS") == {"neoplasms", "d009369", "cysts", "bone cysts", "d001845"}
    assert made.names_below("d001845") == made.names_below("Bone Cysts") == {"bone cysts", "d001845", "jaw cysts"}
    assert made.names_below("Jaw Cysts") == {"jaw cysts"}


def test_a_heading_that_is_not_in_the_tree_is_itself() -> None:
    assert tree().names_below("Heart") == tree(*LINES).names_below(" HEART. ") == {"heart"}
    assert "Heart" not in tree(*LINES)
    assert "bone CYSTS" in tree(*LINES)
    assert {"d009369", "cysts"} < tree(*LINES).names
    assert "" not in tree(*LINES)


PLACES = st.lists(st.sampled_from(["001", "002", "010"]), max_size=3).map(lambda found: ".".join(["A01", *found]))


@given(st.dictionaries(PLACES, st.sampled_from("abcd"), max_size=12))
def test_what_is_narrower_begins_with_the_number_and_a_period(places: dict[str, str]) -> None:
    made = tree(*((name, number, "") for number, name in places.items()))
    for heading in "abcd":
        own = [number for number, name in places.items() if name == heading]
        below = {places[n] for n in places if any(n == one or n.startswith(f"{one}.") for one in own)}
        assert made.names_below(heading) == below | {heading}
