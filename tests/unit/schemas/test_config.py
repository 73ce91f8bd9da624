import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.config import Config, DeploymentConfig, RerankConfig, parse_config
from schemas.errors import UsageError

VALUES: dict[str, Any] = {
    "store": "s",
    "encoder": {
        "name": "e",
        "pooling": "mean",
        "normalize": True,
        "dimension": 8,
        "query": {"model": "q", "max_length": 64},
        "article": {"model": "m", "max_length": 64, "pair": True},
    },
}


def refusal(key: str, value: Any) -> str:
    """Return how a config with one value changed is refused."""
    values = copy.deepcopy(VALUES)
    table = values
    *tables, name = key.split(".")
    for part in tables:
        table = table.setdefault(part, {})
    table[name] = value
    with pytest.raises(UsageError) as caught:
        parse_config(values, "my.toml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_given_has_its_default() -> None:
    config = parse_config(VALUES, "my.toml")
    assert (config.store, config.index.candidates, config.serve.api.max_waiting) == ("s", 200, 256)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("stor", "store"),
        ("nprobe", "index.nprobe"),
        ("index.nprobes", "index.nprobe"),
        ("index.shards", "index.num_shards"),
        ("encoder.query.maxlength", "encoder.query.max_length"),
        ("serve.searcher.replicas", "serve.searcher.min_replicas"),
        ("serve.reranker.max_batch", "serve.reranker.max_batch_size"),
        ("selection.files", "selection.file"),
        ("embed.batch_tokens", "engine.batch_tokens"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key: str, nearest: str) -> None:
    assert refusal(key, 1) == f"my.toml: unknown key {key!r}; the nearest known key is {nearest!r}"


@given(st.text(min_size=1).filter(lambda key: key not in Config.model_fields and "." not in key))
def test_any_unknown_key_is_refused_in_one_line_that_names_it(key: str) -> None:
    assert refusal(key, 1).startswith(f"my.toml: unknown key {key!r}; the nearest known key is ")


@pytest.mark.parametrize("key", ["store", "encoder", "encoder.pooling", "encoder.query.model"])
def test_a_missing_key_is_named_with_how_to_give_it(key: str) -> None:
    values = copy.deepcopy(VALUES)
    table = values
    *tables, name = key.split(".")
    for part in tables:
        table = table[part]
    del table[name]
    with pytest.raises(UsageError) as caught:
        parse_config(values, "my.toml")
    assert str(caught.value) == f"my.toml: key {key!r} is missing; give it a value there or with --set {key}=…"


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("selection.rule", "some", "input should be 'all', 'abstract' or 'pmids'"),
        ("index.nlist", -1, "input should be greater than or equal to 0"),
        ("index.recall_floor", 1.5, "input should be less than or equal to 1"),
        ("serve.port", 65536, "input should be less than or equal to 65535"),
        ("serve.host", "", "string should have at least 1 character"),
        ("serve.log_queries", "maybe", "input should be a valid boolean"),
        ("serve.api.min_replicas", 0, "input should be greater than 0"),
        ("serve.api.max_replicas", -1, "input should be greater than 0"),
        ("index.candidates", "many", "input should be a valid integer"),
        ("store", 3, "input should be a valid string"),
        ("encoder.dimension", 1.5, "input should be a valid integer"),
        ("index", 3, "input should be a valid dictionary"),
        ("night.stage_seconds.embed", 0, "input should be greater than 0"),
        ("ingest.contact", "me", "value error, give an e-mail address, or a url with https://"),
        ("ingest.contact", "me @example.org", "value error"),
        ("ingest.contact", "mé@example.org", "value error"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(key: str, value: object, what: str) -> None:
    assert refusal(key, value).startswith(f"my.toml: {key} = {value!r}: {what}")


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://example.org/page", "null", ""])
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    shown = f"my.toml: serve.cors_origins.0 = {origin!r}: string should match pattern"
    assert refusal("serve.cors_origins", [origin]).startswith(shown)


def test_an_empty_range_of_replicas_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_replicas 1 is below min_replicas 2"):
        DeploymentConfig(min_replicas=2)


def test_calls_under_way_are_enough_for_all_replicas_to_be_asked_for() -> None:
    assert DeploymentConfig(max_replicas=2, target_ongoing_requests=1.6).calls == 4


def test_other_values_are_put_beside_those_that_stay() -> None:
    config = parse_config({**VALUES, "index": {"nlist": 4, "seed": 1}}, "my.toml")
    changed = config.with_values(store="t", index={"nlist": 8}, encoder={"query": {"max_length": 9}})
    assert (changed.store, changed.index.nlist, changed.index.seed) == ("t", 8, 1)
    assert (changed.encoder.query.max_length, changed.encoder.query.model) == (9, "q")
    assert (config.store, config.index.nlist, config.encoder.query.max_length) == ("s", 4, 64)
    assert config.with_values() == config


def test_a_whole_table_takes_the_place_of_another() -> None:
    config = parse_config({**VALUES, "rerank": {"kind": "none", "candidates": 3}}, "my.toml")
    assert config.with_values(rerank=RerankConfig(candidates=4)).rerank == RerankConfig(candidates=4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"index": {"nlist": -1}}, "command line: index.nlist = -1: input should be greater than or equal to 0"),
        ({"indx": 1}, "command line: unknown key 'indx'; the nearest known key is 'index"),
        ({"serve": {"api": {"max_replicas": 0}}}, "command line: serve.api.max_replicas = 0: "),
    ],
)
def test_other_values_are_checked_as_those_of_a_file_are(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_config(VALUES, "my.toml").with_values(**values)
    assert str(caught.value).startswith(words)
