import re
from pathlib import Path

import pytest

from retrieval.ingest.mesh_files import read_mesh_tree
from schemas.errors import InputError

LINES = "Body Regions;A01\nAbdomen;A01.923.047\r\nCysts, Bone;C04.182.089\nCysts, Bone;C05.116.070\n"
XML = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "https://www.nlm.nih.gov/databases/dtd/nlmdescriptorrecordset_20250101.dtd">
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D001829</DescriptorUI>
 <DescriptorName><String>Body Regions</String></DescriptorName>
 <ConceptList><Concept><ConceptName><String>Body Parts</String></ConceptName></Concept></ConceptList>
 <TreeNumberList><TreeNumber>A01</TreeNumber></TreeNumberList></DescriptorRecord>
<DescriptorRecord DescriptorClass="2"><DescriptorUI>D016428</DescriptorUI>
 <DescriptorName><String>Journal Article</String></DescriptorName></DescriptorRecord>
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D001845</DescriptorUI>
 <DescriptorName><String>Bone Cysts</String></DescriptorName>
 <TreeNumberList><TreeNumber>C05.116.070</TreeNumber><TreeNumber>C04.182.089</TreeNumber></TreeNumberList>
</DescriptorRecord></DescriptorRecordSet>
"""


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "mesh"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_lines_of_mtrees_are_kept_in_order_of_their_numbers(tmp_path: Path) -> None:
    assert read_mesh_tree(written(tmp_path, LINES)) == (
        "Body Regions\tA01\t\nAbdomen\tA01.923.047\t\nCysts, Bone\tC04.182.089\t\nCysts, Bone\tC05.116.070\t\n"
    )
    once = read_mesh_tree(written(tmp_path, LINES))
    assert read_mesh_tree(written(tmp_path, "\n".join(reversed((LINES * 2).splitlines())))) == once


def test_descriptors_say_their_uis_too(tmp_path: Path) -> None:
    expected = "Body Regions\tA01\tD001829\nBone Cysts\tC04.182.089\tD001845\nBone Cysts\tC05.116.070\tD001845\n"
    assert read_mesh_tree(written(tmp_path, XML)) == expected
    assert read_mesh_tree(written(tmp_path, b"\xef\xbb\xbf\n" + XML.partition("\n")[2].encode())) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no heading with a tree number in it; give mtreesYYYY.bin or descYYYY.xml"),
        ("Body Regions;A01\nAbdomen\n", " line 2: 'Abdomen', not as in 'Body Regions;A01'"),
        ("Body Regions;A01;x\n", " line 1: 'Body Regions;A01;x', not as in"),
        (b"\x1f\x8b\x08\0", " line 1: '\\x1f\ufffd\\x08\\x00', not as in"),
        ("<html></html>", "no heading with a tree number in it"),
        (XML[:600], "is not whole XML: "),
    ],
)
def test_another_file_is_refused_in_one_line(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=rf"^--mesh-tree {path}.*{re.escape(message)}") as error:
        read_mesh_tree(path)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file; give NLM's mtreesYYYY.bin or descYYYY.xml$"):
        read_mesh_tree(tmp_path)
