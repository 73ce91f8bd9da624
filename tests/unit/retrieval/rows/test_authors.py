from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rows import authors as authors_module
from retrieval.rows.authors import AuthorRows, AuthorWriter, asked_forms, author_form, cited_forms
from schemas.layout import AUTHOR_ROWS, AUTHORS
from tests.support.examples import examples


def written(folder: Path, *tables: Sequence[Sequence[str]]) -> AuthorRows:
    folder.mkdir(exist_ok=True)
    writer = AuthorWriter(folder)
    for names in tables:
        writer.add(pa.table({"authors": pa.array(names, pa.list_(pa.string()))}))
    writer.finish()
    return AuthorRows(folder.joinpath)


CITED = ["Smith J", "Smith JA", "Smith JA Jr", "Smith JB", "de la Cruz M-J", "Suharto", "The WHO Group"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("Smith J", ["Smith J", "Smith JA", "Smith JA Jr", "Smith JB"]),
        ("smith ja", ["Smith JA", "Smith JA Jr"]),
        ("Smith JA Jr", ["Smith JA Jr"]),
        ("Smith, J. A.", ["Smith JA", "Smith JA Jr"]),
        ("Smith, J.A.", ["Smith JA", "Smith JA Jr"]),
        ("Smith, John Adam", ["Smith JA", "Smith JA Jr"]),
        ("Smith J. B.", ["Smith JB"]),
        ("De La Cruz M", ["de la Cruz M-J"]),
        ("de la Cruz, M-J", ["de la Cruz M-J"]),
        ("Suharto", ["Suharto"]),
        ("the WHO group", ["The WHO Group"]),
        ("Smith", []),
        ("Smith JC", []),
        ("Smi J", []),
        (" . ", []),
        (",", []),
    ],
)
def test_an_author_is_found_by_last_name_and_initials_and_fewer_find_more(
    asked: str, found: list[str], tmp_path: Path
) -> None:
    rows = written(tmp_path, [[name] for name in CITED]).rows_of(asked)
    assert [CITED[row] for row in rows] == found
    assert rows.dtype == np.uint32


def test_a_group_is_found_by_its_whole_name_with_commas_too(tmp_path: Path) -> None:
    rows = written(tmp_path, [["Group for A, B and C"], ["Smith J", "Group for A, B and C", "Smith JA"]])
    assert rows.rows_of("group for A, B and C").tolist() == [0, 1]
    assert rows.rows_of("Smith J").tolist() == [1]


def test_forms_are_what_they_are_in_segments_written_before() -> None:
    assert author_form("Smith  J. A.") == author_form("SMITH JA") == "smith ja"
    assert cited_forms("Smith JA Jr") == {"smith ja jr", "smith ja", "smith j"}
    assert cited_forms("Ivanov IuA") == {"ivanov iua"}
    assert cited_forms("") == set()
    assert asked_forms("Smith, J. A.") == ["smith, ja", "smith ja"]


NAMES = st.sampled_from(["Smith J", "Smith JA", "Li Y", "Li YZ 3rd", "Group", "", "\u00d8deg\u00e5rd \u00c9", "\x1f"])


@examples(25, whole=100)
@given(
    articles=st.lists(st.lists(NAMES, max_size=5), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=3),
    batch=st.integers(1, 9),
    at_once=st.integers(1, 30),
)
def test_the_files_depend_on_the_rows_alone_and_hold_all_their_names(
    articles: list[list[str]], cuts: list[int], batch: int, at_once: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("authors")
    whole = written(folder / "whole", articles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authors_module, "BATCH_ROWS", batch)
        patch.setattr(authors_module, "SORTED_ROWS", at_once)
        edges = [0, *sorted(cuts), len(articles)]
        written(folder / "cut", *(articles[a:b] for a, b in pairwise(edges)))
    assert sorted(path.name for path in (folder / "cut").iterdir()) == sorted([AUTHORS, AUTHOR_ROWS])
    for name in (AUTHORS, AUTHOR_ROWS):
        assert (folder / "whole" / name).read_bytes() == (folder / "cut" / name).read_bytes(), name
    for form in {form for names in articles for name in names for form in cited_forms(name)}:
        having = [row for row, names in enumerate(articles) if any(form in cited_forms(name) for name in names)]
        assert whole.rows_of(form).tolist() == having


def test_a_segment_without_rows_has_no_authors(tmp_path: Path) -> None:
    assert written(tmp_path / "a").rows_of("Smith J").size == 0
    assert written(tmp_path / "b", []).rows_of("Smith J").size == 0
