"""The figures of a plan say where they are from, and the shapes are those of the encoders that are configured."""

from importlib.util import find_spec

import pytest
import torch
import transformers

from jobs.common.config import DEFAULT, load_config, read_toml
from schemas.figures import ENCODERS, FIGURES, GPUS, TRAINING_FIGURES, Figure

ALL = [*FIGURES, *TRAINING_FIGURES, *(f for gpu in GPUS.values() for f in gpu), *(e.tokens for e in ENCODERS.values())]


@pytest.mark.parametrize("figure", [f for f in ALL if f.label == "measured here"], ids=lambda figure: figure.unit)
def test_what_was_measured_names_its_command(figure: Figure) -> None:
    command, option, module, *_ = figure.source.split(",")[0].split()
    assert (command, option) == ("python", "-m")
    assert find_spec(module)


def test_every_figure_is_positive_and_has_its_grounds() -> None:
    assert all(f.value > 0 and f.unit and len(f.source) > 8 for f in ALL)
    assert {f.label for f in ALL} == {"measured here", "published", "assumed"}


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_has_the_width_of_its_configuration(name: str) -> None:
    config = load_config(str(DEFAULT.with_name(ENCODERS[name].config)), [], {})
    assert config.encoder.dimension == ENCODERS[name].shape["hidden_size"]
    assert ENCODERS[name].tokens.value <= config.encoder.article.max_length


def test_every_configuration_can_be_planned() -> None:
    own = (file for file in DEFAULT.parent.glob("*.toml") if "name" in read_toml(file, "").get("encoder", {}))
    assert {e.config for e in ENCODERS.values()} == {file.name for file in own}


@pytest.mark.parametrize("name", ["minilm", "medcpt"])
def test_parameters_are_those_of_the_shape(name: str) -> None:
    shape = {key: value for key, value in ENCODERS[name].shape.items() if key != "model_type"}
    with torch.device("meta"):
        model = transformers.BertModel(transformers.BertConfig(**shape))
    assert sum(p.numel() for p in model.parameters()) == ENCODERS[name].parameters
