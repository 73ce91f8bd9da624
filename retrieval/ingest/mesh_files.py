"""NLM's files of the MeSH tree, mtreesYYYY.bin and descYYYY.xml, to the one form in which a store keeps it.

That is a line for each place of a heading in the tree: heading, tree number and UI with tabs between, in order of the
numbers. mtreesYYYY.bin says no UIs.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError, iterparse

from schemas.errors import InputError

_NUMBER = re.compile(r"[A-Z]\d\d(?:\.\d{3})*")
_LINE = re.compile(rf"([^;\t]+);({_NUMBER.pattern})")


def read_mesh_tree(path: Path) -> str:
    """Return the tree of a file in the form of a store.

    Raises:
        InputError: there is no such file, or it is neither of the two.
    """
    if not path.is_file():
        raise InputError(f"--mesh-tree {path}: no such file; give NLM's mtreesYYYY.bin or descYYYY.xml")
    with path.open("rb") as file:
        is_xml = file.read(100).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    places = sorted(set(_of_descriptors(path) if is_xml else _of_lines(path)))
    if not places:
        raise InputError(
            f"--mesh-tree {path}: no heading with a tree number in it; give mtreesYYYY.bin or descYYYY.xml"
        )
    return "".join(f"{name}\t{number}\t{ui}\n" for number, name, ui in places)


def _of_lines(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1):
        if not (found := _LINE.fullmatch(line.strip())):
            raise InputError(f"--mesh-tree {path} line {number}: {line[:40]!r}, not as in 'Body Regions;A01'")
        yield found[2], found[1], ""


def _of_descriptors(path: Path) -> Iterator[tuple[str, str, str]]:
    try:
        for _, record in iterparse(path):
            if record.tag != "DescriptorRecord":
                continue
            name, ui = (" ".join(record.findtext(of, "").split()) for of in ("DescriptorName/String", "DescriptorUI"))
            for number in record.iterfind("TreeNumberList/TreeNumber"):
                if name and _NUMBER.fullmatch(number.text or ""):
                    yield number.text or "", name, ui
            record.clear()
    except ParseError as error:
        raise InputError(f"--mesh-tree {path} is not whole XML: {error}; download it again") from None
