"""Which versions a configuration can serve."""

from pathlib import Path

import pytest

from actors.service.servable import check_encoder, check_servable
from schemas.config import Config
from schemas.encoder import EncoderSpec
from schemas.errors import StoreError
from schemas.manifest import IndexVersion, Segment
from tests.support.service.seams import VERSION
from tests.support.stores.store_files import config as config_of


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path)


@pytest.fixture
def version(config: Config) -> IndexVersion:
    return VERSION.model_copy(update={"encoder": config.encoder})


@pytest.mark.parametrize("side", ["query", "article"])
def test_another_tower_is_refused(side: str, config: Config, version: IndexVersion) -> None:
    tower = getattr(config.encoder, side).model_copy(update={"template": "about {text}"})
    spec: EncoderSpec = config.encoder.model_copy(update={side: tower})
    with pytest.raises(StoreError, match=f"with another '{side}'"):
        check_encoder(config.model_copy(update={"encoder": spec}), version)


def test_a_version_with_more_shards_than_are_served_is_refused(config: Config, version: IndexVersion) -> None:
    def sharded(*shards: int) -> IndexVersion:
        segment = Segment(id="s", shard=0, rows=1, dimension=1, nlist=1, code_size=1, files={})
        return version.model_copy(
            update={"segments": tuple(segment.model_copy(update={"shard": shard}) for shard in shards)}
        )

    for fine in (sharded(), sharded(0), sharded(0, 0)):
        check_servable(config, fine)
    with pytest.raises(StoreError, match=r"has 2 shards, but index\.num_shards = 1; set it to 2"):
        check_servable(config, sharded(0, 1))
