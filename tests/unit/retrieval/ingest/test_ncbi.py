import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.ingest.ncbi import check_baseline, check_md5, md5_of, parse_listing, parse_md5, updates_after
from schemas.errors import InputError

NAME = "pubmed26n1497.xml.gz"
HEX = "0123456789abcdef0123456789abcdef"
LISTING = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of /pubmed/updatefiles</title></head><body>
<h1>Index of /pubmed/updatefiles</h1>
<pre>Name                     Last modified      Size  <hr><a href="/pubmed/">Parent Directory</a>           -
<a href="README.txt">README.txt</a>               2026-01-30 09:54  4.5K
<a href="pubmed26n1336.xml.gz">pubmed26n1336.xml.gz</a>     2026-02-01 14:03   37M
<a href="pubmed26n1336.xml.gz.md5">pubmed26n1336.xml.gz.md5</a> 2026-02-01 14:03   60
<a href="pubmed26n1336_stats.html">pubmed26n1336_stats.html</a> 2026-02-01 14:03  583
<a href="pubmed26n10000.xml.gz">pubmed26n10000.xml.gz</a>    2026-02-02 14:03   37M
<a href="pubmed26n1335.xml.gz">pubmed26n1335.xml.gz</a>     2026-01-31 14:03   37M
<a href="pubmed25n1700.xml.gz">pubmed25n1700.xml.gz</a>     2025-12-31 14:03   37M
<a href="../pubmed26n1337.xml.gz">elsewhere</a> <a href="my-pubmed26n1338.xml.gz">other</a>
<hr></pre></body></html>
"""


def names(year: int, *numbers: int, suffix: str = ".xml.gz") -> list[str]:
    return [f"pubmed{year}n{number:04d}{suffix}" for number in numbers]


def test_a_listing_gives_the_files_in_order_and_nothing_else() -> None:
    assert parse_listing(LISTING) == names(25, 1700) + names(26, 1335, 1336, 10000)


def test_a_folder_may_be_empty() -> None:
    assert parse_listing("<html><body><pre>Name <hr></pre></body></html>") == []


@pytest.mark.parametrize("end", [0, 300, LISTING.index("<hr></pre>")])
def test_a_listing_that_breaks_off_is_refused(end: int) -> None:
    with pytest.raises(InputError, match=rf"^a listing of {end} characters that does not end; ask for it again$"):
        parse_listing(LISTING[:end])


@pytest.mark.parametrize(
    "text",
    [
        f"MD5({NAME})= {HEX}\n",
        f"MD5 ({NAME}) = {HEX.upper()}",
        f"{HEX}  {NAME}\n",
        f"{HEX} *{NAME}\r\n",
        f"{HEX.upper()}  {NAME}",
    ],
)
def test_md5_files_in_both_formats(text: str) -> None:
    assert parse_md5(text, NAME) == HEX


@pytest.mark.parametrize("text", [f"MD5(pubmed26n1498.xml.gz)= {HEX}", f"{HEX}  pubmed26n1498.xml.gz"])
def test_the_md5_of_another_file_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"^{NAME}\.md5 is that of pubmed26n1498\.xml\.gz; get it again$"):
        parse_md5(text, NAME)


@pytest.mark.parametrize("text", ["", "<html>503</html>", HEX, f"MD5({NAME})= {HEX[:-1]}", f"{HEX}0  {NAME}"])
def test_what_is_no_md5_file_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"^{NAME}\.md5 holds '.*', not 'MD5\({NAME}\)= <hex>'; get it again$"):
        parse_md5(text, NAME)


def test_a_file_is_checked_against_its_md5(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"articles")
    right = hashlib.md5(b"articles").hexdigest()
    assert md5_of(path) == right
    check_md5(path, f"MD5({NAME})= {right.upper()}\n")
    with pytest.raises(InputError, match=rf"^{path}: md5 {right}, published is {HEX}; download it again$"):
        check_md5(path, f"{HEX}  {NAME}\n")


@pytest.mark.parametrize("suffix", [".xml.gz", ".xml", ""])
def test_a_baseline_of_files_or_source_names_is_whole_in_any_order(suffix: str) -> None:
    check_baseline(names(26, 3, 1, 2, suffix=suffix))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "a baseline without files; name the folder"),
        (names(26, 1, 3), "the baseline lacks pubmed26n0002; it is usable only when whole"),
        (names(26, 2), "the baseline lacks pubmed26n0001;"),
        (
            names(26, 1, 9),
            "lacks pubmed26n0002, pubmed26n0003, pubmed26n0004, pubmed26n0005, pubmed26n0006 and 2 more;",
        ),
        (names(26, 1) + names(27, 1), "a baseline of the years 26 and 27 at once; "),
        ([*names(26, 1), "corpus.jsonl"], "corpus.jsonl is no PubMed file by its name; "),
    ],
)
def test_a_baseline_that_is_not_whole_is_refused_with_what_is_wrong(files: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_baseline(files)
    assert message in str(caught.value)


@given(st.sets(st.integers(1, 40), min_size=1))
def test_a_baseline_is_whole_if_and_only_if_no_number_is_missing(numbers: set[int]) -> None:
    whole = len(numbers) == max(numbers)
    try:
        check_baseline(names(26, *numbers))
    except InputError:
        assert not whole
    else:
        assert whole


def test_updates_are_those_of_the_year_after_the_baseline() -> None:
    updates = names(25, 1685, 1700) + names(26, 5, 4, 2) + names(27, 9)
    assert updates_after(names(26, 1, 2, 3), updates) == names(26, 4, 5)
    assert updates_after(names(26, 1, 2, 3), names(25, 1685)) == []


def test_updates_that_do_not_follow_the_baseline_show_that_it_is_not_all_there() -> None:
    with pytest.raises(InputError, match=r"^the baseline ends with pubmed26n0002\.xml\.gz, its updates start with "):
        updates_after(names(26, 1, 2), names(26, 4, 5))
