from pathlib import Path

import pytest

from jobs.common.encoders import TRAINED, figures_of
from schemas.config import Config
from schemas.figures import ENCODERS
from tests.support.stores.store_files import config


def named(name: str) -> Config:
    return config(Path("/nowhere")).with_values(encoder={"name": name})


@pytest.mark.parametrize("name", ["BMRetriever-7B", f"BMRetriever-7B{TRAINED}", f"BMRetriever-7B{TRAINED}{TRAINED}"])
def test_an_encoder_is_known_by_its_name_however_often_it_was_trained(name: str) -> None:
    assert figures_of(named(name)) == ENCODERS["bmretriever-7b"]


def test_of_others_nothing_is_known() -> None:
    assert figures_of(named("another")) is None
