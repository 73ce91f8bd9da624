from pathlib import Path

import pytest

from retrieval.embed.known.chunk_names import ChunkFiles, chunk_names, chunk_numbers, listed_chunk_files
from schemas.errors import InputError
from tests.support.pubmed.file_server import listing_page

NAMES = {name for number in (10, 2, 0) for name in chunk_names(number)}


def test_a_chunk_has_three_files() -> None:
    names = ["embeds_chunk_7.npy", "pmids_chunk_7.json", "pubmed_chunk_7.json"]
    assert list(chunk_names(7)) == names
    assert ChunkFiles.of(Path("/x"), 7) == (7, *(Path("/x") / name for name in names))


def test_chunks_are_in_the_order_of_their_numbers_with_gaps() -> None:
    assert chunk_numbers(NAMES | {"README.txt", ".embeds_chunk_1.npy.part", "embeds_chunk_3.npy.gz"}, "x") == [0, 2, 10]


def test_texts_are_not_needed() -> None:
    assert chunk_numbers({"embeds_chunk_5.npy", "pmids_chunk_5.json"}, "x") == [5]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (set(), r"^/x: no embeds_chunk_<i>\.npy; name what holds"),
        ({"pmids_chunk_0.json", "pubmed_chunk_0.json"}, r"^/x: no embeds_chunk_<i>\.npy; "),
        (NAMES - {"pmids_chunk_2.json"}, r"^/x: embeds_chunk_2\.npy without pmids_chunk_2\.json; fetch both$"),
    ],
)
def test_no_chunk_or_half_a_chunk_is_refused(names: set[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chunk_numbers(names, "/x")


def test_a_listing_names_the_files_of_chunks_and_no_others() -> None:
    others = ["README.txt", "embeds_chunk_0.npy.md5", "embeds_chunk_x.npy", "pubmed26n0001.xml.gz"]
    assert listed_chunk_files(listing_page("/pubmed_embeddings/", [*sorted(NAMES), *others])) == NAMES


def test_a_listing_that_breaks_off_is_refused() -> None:
    page = listing_page("/pubmed_embeddings/", sorted(NAMES))
    with pytest.raises(InputError, match=r"^a listing of .* characters that does not end"):
        listed_chunk_files(page[: page.index("pmids_chunk_2")])
