"""What a version says itself; what is counted of older ones is in tests/cluster/jobs/test_nights.py."""

from pathlib import Path

from jobs.steps.index.population import population_of
from schemas.manifest import Population
from tests.support.service.seams import VERSION
from tests.support.stores.store_files import config


def test_a_version_that_says_it_is_believed(tmp_path: Path) -> None:
    population = Population(articles=3, digest="0" * 15 + "7")
    assert population_of(config(tmp_path), VERSION.model_copy(update={"population": population})) == population
