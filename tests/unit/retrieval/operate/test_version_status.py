from retrieval.operate.version_status import version_status
from schemas.manifest import FileDigest, Segment, Tombstones
from tests.support.service.seams import VERSION


def segment(name: str, shard: int, rows: int) -> Segment:
    files = {file: FileDigest(bytes=rows, sha256="", head="") for file in "ab"}
    return Segment(id=name, shard=shard, rows=rows, dimension=1, nlist=1, code_size=1, files=files)


def test_of_each_shard_the_first_segment_is_the_base_and_the_others_are_deltas() -> None:
    segments = (segment("a", 1, 10), segment("b", 0, 20), segment("c", 1, 3))
    dead = {"b": Tombstones(sha256="", rows=4)}
    status = version_status(VERSION.model_copy(update={"segments": segments, "tombstones": dead}), "file", 2.5)
    assert [(s.segment, s.kind, s.live_rows, s.dead_rows, s.bytes) for s in status.segments] == [
        ("a", "base", 10, 0, 20),
        ("b", "base", 16, 4, 40),
        ("c", "delta", 3, 0, 6),
    ]
    assert (status.dead_rows, status.bytes, status.newest_source, status.hours_since_ingest) == (4, 66, "file", 2.5)
