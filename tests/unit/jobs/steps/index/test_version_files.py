from pathlib import Path

import numpy as np
import pytest

from jobs.steps.index.version_files import check_answers, check_bytes
from retrieval.files.checked import file_digest
from retrieval.rows.row_numbers import write_tombstones
from schemas.errors import IntegrityError, StoreError
from schemas.layout import PMIDS, Layout
from schemas.manifest import IndexVersion
from tests.support.stores.hand_made_version import write_version


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path))


@pytest.fixture
def version(layout: Layout) -> IndexVersion:
    return write_version(layout)


def test_a_whole_version_answers(layout: Layout, version: IndexVersion) -> None:
    check_answers(layout, version)
    check_bytes(layout, version)


@pytest.mark.parametrize("lost", ["quantizers", "truths", "segments/s0"])
def test_what_an_answer_needs_is_missed(lost: str, layout: Layout, version: IndexVersion) -> None:
    for file in Path(layout.root, lost).iterdir():
        file.unlink()
    for check in (check_answers, check_bytes):
        with pytest.raises(StoreError):
            check(layout, version)


def test_a_version_without_a_live_row_does_not_answer(layout: Layout, version: IndexVersion) -> None:
    buried = {s.id: write_tombstones(layout.tombstones, np.arange(s.rows)) for s in version.segments}
    with pytest.raises(IntegrityError, match="finds nothing; run pubray index --full"):
        check_answers(layout, version.model_copy(update={"tombstones": buried}))


def test_rows_of_other_articles_are_found(layout: Layout, version: IndexVersion) -> None:
    path = Path(layout.segment("s1"), PMIDS)
    path.write_bytes(np.fromfile(path, np.int64)[::-1].tobytes())
    with pytest.raises(IntegrityError, match=r"pmids\.i64: sha256"):
        check_bytes(layout, version)
    first, second = version.segments
    wrong = second.model_copy(update={"files": second.files | {PMIDS: file_digest(path)}})
    with pytest.raises(IntegrityError, match=r"rows of other articles than pmids\.i64 says"):
        check_bytes(layout, version.model_copy(update={"segments": (first, wrong)}))
