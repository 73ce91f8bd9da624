import pytest
from pydantic import ValidationError

from schemas.base import Frozen
from schemas.encoder import EncoderSpec, TowerDigests, TowerSpec
from schemas.manifest import Checks, Current, FileDigest, IndexVersion, QuantizerRecord, Recall, Segment

SEGMENT = Segment(
    id="s",
    shard=0,
    rows=3,
    dimension=8,
    nlist=2,
    code_size=4,
    files={"rows.f16": FileDigest(bytes=48, sha256="a", head="b")},
)
VERSION = IndexVersion(
    id="v",
    created="2026-01-01T00:00:00+00:00",
    parent=None,
    recipe="r",
    rules="s",
    snapshot="n",
    selection="abstract",
    encoder=EncoderSpec(
        name="e",
        query=TowerSpec(model="q", max_length=64),
        article=TowerSpec(model="m", max_length=64),
        pooling="cls",
        normalize=False,
        dimension=8,
    ),
    fingerprint="f",
    query_tower=TowerDigests(weights="1" * 64, tokenizer="2" * 64),
    quantizer="z",
    metric="l2",
    nprobe=2,
    candidates=200,
    segments=(SEGMENT, SEGMENT),
    articles=6,
    checks=Checks(
        recall=Recall(queries=200, at_10=0.97, at_100=1 / 3), truth="t1", imbalance=1.5, dead_share=0.1, removed_share=0
    ),
)
RECORD = QuantizerRecord(sha256="a", factory="IVF8,Flat", metric="l2", spherical=False, seed=0, trained_on=9)


@pytest.mark.parametrize("document", [SEGMENT, VERSION, RECORD, Current(version="v", epoch=2, history=("u",))])
def test_a_document_comes_back_from_its_json(document: Frozen) -> None:
    assert type(document).model_validate_json(document.model_dump_json(indent=1)) == document


def test_a_first_current_needs_only_its_version() -> None:
    current = Current(version="v")
    assert (current.epoch, current.history, current.withdrawn) == (1, (), ())


def test_a_field_that_a_later_program_wrote_is_refused() -> None:
    with pytest.raises(ValidationError, match="lease"):
        Current.model_validate({"version": "v", "lease": 3})
