"""What is written is read as the same spec, by pubray and by sentence-transformers."""

import json
from pathlib import Path

import pytest

from retrieval.embed.sentence_transformers import encoder_values
from retrieval.train.model_files import sentence_transformers_files
from schemas.encoder import EncoderSpec, Pooling, TowerSpec
from tests.support.models import tiny


@pytest.mark.parametrize("pooling", ["cls", "mean", "last"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("prompt", ["", "query {{odd}}: "])
def test_a_spec_is_read_as_it_was_written(
    tiny_encoder: Path, tmp_path: Path, pooling: Pooling, normalize: bool, prompt: str
) -> None:
    place = {"model": str(tmp_path)}
    query = TowerSpec(**place, max_length=20, template=f"{prompt}{{text}}")
    article = TowerSpec(**place, max_length=24)
    spec = EncoderSpec(
        name=tmp_path.name,
        query=query,
        article=article,
        pooling=pooling,
        normalize=normalize,
        dimension=tiny.DIMENSION,
    )
    for path in tiny_encoder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, document in sentence_transformers_files(spec).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(document))
    assert EncoderSpec(**encoder_values(tmp_path, str(tmp_path), None)) == spec


@pytest.mark.parametrize(
    "change", [{"pair": True}, {"append_eos": True}, {"template": "{text} of {{mice}}"}, {"model": "other"}]
)
def test_a_spec_that_the_library_cannot_say_has_no_files(tiny_encoder: Path, change: dict[str, object]) -> None:
    spec = tiny.spec(tiny_encoder)
    assert sentence_transformers_files(spec)
    other = spec.model_copy(update={"article": spec.article.model_copy(update=change)})
    assert sentence_transformers_files(other) == {}
