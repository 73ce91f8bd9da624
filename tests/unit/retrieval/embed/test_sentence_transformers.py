import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import BertNormalizer, Lowercase, Normalizer, Sequence, Strip

from retrieval.embed.sentence_transformers import encoder_values
from schemas.encoder import EncoderSpec
from schemas.errors import InputError

OLD: dict[str, Any] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "1_Pooling/config.json": {
        "word_embedding_dimension": 384,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    },
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
    "config_sentence_transformers.json": {"__version__": {"sentence_transformers": "2.0.0"}},
    "config.json": {"model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512},
    "tokenizer_config.json": {"model_max_length": 512},
}
"""As version 2 saved a model."""

NEW: dict[str, Any] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
        },
        {"idx": 2, "name": "2", "path": "2_N", "type": "sentence_transformers.base.modules.normalize.Normalize"},
    ],
    "1_Pooling/config.json": {"embedding_dimension": 384, "pooling_mode": "mean", "include_prompt": True},
    "sentence_bert_config.json": {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings",
    },
    "config_sentence_transformers.json": {
        "model_type": "SentenceTransformer",
        "prompts": {"document": "", "query": ""},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    },
    "config.json": {"model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512},
    "tokenizer_config.json": {"model_max_length": 256},
}
"""The same model as version 6 saves it."""


def saved(folder: Path, files: dict[str, Any], changes: dict[str, Any] | None = None) -> Path:
    """Write a model's JSON files; a change is a file's whole content, or None for no such file."""
    for name, content in (files | (changes or {})).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_text(json.dumps(content))
    return folder


def spec(folder: Path, **changes: Any) -> EncoderSpec:
    """Derive a spec from the old format, with some files changed: `config`, `pooling`, …"""
    files = {FILES[name]: OLD[FILES[name]] | content for name, content in changes.items()}
    return EncoderSpec.model_validate(encoder_values(saved(folder, OLD, files), "owner/model", "c0ffee"))


FILES = {
    "pooling": "1_Pooling/config.json",
    "transformer": "sentence_bert_config.json",
    "general": "config_sentence_transformers.json",
    "config": "config.json",
    "tokenizer": "tokenizer_config.json",
}


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        encoder_values(folder, "model", None)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_one_model_in_the_old_and_the_new_format_is_one_spec(tmp_path: Path) -> None:
    old, new = (
        encoder_values(saved(tmp_path / name, files), "owner/model", "c0ffee")
        for name, files in (("old", OLD), ("new", NEW))
    )
    tower = {"model": "owner/model", "revision": "c0ffee", "max_length": 256, "template": "{text}"}
    expected = {"name": "model", "pooling": "mean", "normalize": True, "dimension": 384}
    assert old == new == expected | {"query": tower, "article": tower}


@pytest.mark.parametrize(
    ("model", "name"), [("embedded:tiny", "tiny"), ("owner/tiny", "tiny"), ("~/models/tiny/", "tiny")]
)
def test_a_spec_has_the_last_part_of_the_models_name(model: str, name: str, tmp_path: Path) -> None:
    assert encoder_values(saved(tmp_path, OLD), model, None)["name"] == name


@pytest.mark.parametrize(
    ("content", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode_mean_tokens": False}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "lasttoken", "include_prompt": True}, "last"),
        ({"pooling_mode": ["mean"]}, "mean"),
    ],
)
def test_the_pooling_is_read_in_both_formats(content: dict[str, Any], pooling: str, tmp_path: Path) -> None:
    assert spec(tmp_path, pooling=content).pooling == pooling


@pytest.mark.parametrize(
    ("prompts", "query", "article"),
    [
        ({"query": "search: ", "document": "text: ", "passage": "no"}, "search: {text}", "text: {text}"),
        ({"query": "search: ", "passage": "text: "}, "search: {text}", "text: {text}"),
        ({"document": "", "passage": None, "corpus": "text: "}, "{text}", "text: {text}"),
        ({"clustering": "group: "}, "{text}", "{text}"),
        ({"query": '{"task": "{text}"} ', "document": "{}: "}, '{{"task": "{{text}}"}} {text}', "{{}}: {text}"),
    ],
)
def test_prompts_come_before_the_text_as_they_are(
    prompts: dict[str, Any], query: str, article: str, tmp_path: Path
) -> None:
    found = spec(tmp_path, general={"prompts": prompts})
    assert (found.query.template, found.article.template) == (query, article)
    assert found.query.template.format(text="x") == (prompts.get("query") or "") + "x"


def test_the_default_prompt_is_that_of_plain_encode_and_not_used(tmp_path: Path) -> None:
    found = spec(tmp_path, general={"prompts": {"sts": "compare: "}, "default_prompt_name": "sts"})
    assert (found.query.template, found.article.template) == ("{text}", "{text}")


@pytest.mark.parametrize(
    ("transformer", "tokenizer", "config", "lengths"),
    [
        ({"max_seq_length": 600}, 512, 512, (600, 600)),
        ({"max_seq_length": None}, 300, 512, (300, 300)),
        ({"max_seq_length": None}, 10**30, 512, (512, 512)),
        ({"max_seq_length": None}, None, 514, (514, 514)),
        ({"max_seq_length": None}, 300, -1, (300, 300)),
        ({"max_seq_length": None, "query_length": 32}, 300, 512, (32, 300)),
        ({"max_seq_length": None, "query_length": 32, "document_length": 180}, None, None, (32, 180)),
    ],
)
def test_the_length_is_the_models_own_or_that_of_its_tokenizer_and_positions(
    transformer: dict[str, Any], tokenizer: int | None, config: int | None, lengths: tuple[int, int], tmp_path: Path
) -> None:
    found = spec(
        tmp_path,
        transformer=transformer,
        tokenizer={"model_max_length": tokenizer},
        config={"max_position_embeddings": config},
    )
    assert (found.query.max_length, found.article.max_length) == lengths


@pytest.mark.parametrize("tokenizer", [None, {}, {"model_max_length": 10**30}])
def test_a_model_without_a_length_is_refused(tokenizer: dict[str, Any] | None, tmp_path: Path) -> None:
    files = {"sentence_bert_config.json": None, "tokenizer_config.json": tokenizer, "config.json": {"hidden_size": 8}}
    assert refusal(saved(tmp_path, OLD, files)) == (
        f"{tmp_path}/sentence_bert_config.json: no max_seq_length, and tokenizer_config.json has no model_max_length; "
        "give one"
    )


def test_a_file_that_is_named_for_the_model_is_read(tmp_path: Path) -> None:
    files = {"sentence_bert_config.json": None, "sentence_roberta_config.json": {"max_seq_length": 77}}
    assert encoder_values(saved(tmp_path, OLD, files), "model", None)["query"]["max_length"] == 77


@pytest.mark.parametrize(
    ("similarity", "normalised_by_a_module", "normalize"),
    [(None, False, True), ("cosine", False, True), ("dot", False, False), ("dot", True, True)],
)
def test_cosine_similarity_is_an_inner_product_of_units(
    similarity: str | None, normalised_by_a_module: bool, normalize: bool, tmp_path: Path
) -> None:
    files = {
        "modules.json": OLD["modules.json"][: 2 + normalised_by_a_module],
        "config_sentence_transformers.json": {"similarity_fn_name": similarity},
    }
    assert encoder_values(saved(tmp_path, OLD, files), "model", None)["normalize"] is normalize


def test_without_its_own_config_a_model_has_no_prompts_and_cosine_similarity(tmp_path: Path) -> None:
    found = encoder_values(saved(tmp_path, OLD, {"config_sentence_transformers.json": None}), "model", None)
    assert (found["query"]["template"], found["normalize"]) == ("{text}", True)


@pytest.mark.parametrize("name", ["hidden_size", "d_model", "dim"])
def test_the_dimension_is_that_of_the_token_vectors(name: str, tmp_path: Path) -> None:
    found = encoder_values(saved(tmp_path, OLD, {"config.json": {name: 48}}), "model", None)
    assert found["dimension"] == 48


@pytest.mark.parametrize(
    ("normalizer", "taken"),
    [
        (Lowercase(), True),
        (BertNormalizer(lowercase=True), True),
        (Sequence([Strip(), Lowercase()]), True),
        (BertNormalizer(lowercase=False), False),
        (None, False),
    ],
)
def test_lower_casing_is_left_to_the_tokenizer(normalizer: Normalizer | None, taken: bool, tmp_path: Path) -> None:
    saved(tmp_path, OLD, {"sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": True}})
    tokenizer = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    if taken:
        assert encoder_values(tmp_path, "model", None)["query"]["max_length"] == 64
    else:
        assert refusal(tmp_path) == (
            f"{tmp_path}/sentence_bert_config.json: do_lower_case, but tokenizer.json does not; "
            "put the Lowercase normalizer there"
        )


def modules(*kinds: str, first: str = "") -> list[dict[str, str]]:
    return [{"path": f"{i}_Module" if i else first, "type": kind} for i, kind in enumerate(kinds)]


OURS = "sentence_transformers.models."


@pytest.mark.parametrize(
    "module",
    [f"{OURS}{kind}" for kind in ("Dense", "LSTM", "Asym", "CLIPModel", "WordWeights", "StaticEmbedding")]
    + ["sentence_transformers.base.modules.router.Router", "modeling.Pooling", "None"],
)
def test_any_other_module_is_refused_by_name(module: str, tmp_path: Path) -> None:
    saved(tmp_path, OLD, {"modules.json": modules(f"{OURS}Transformer", f"{OURS}Pooling", module)})
    assert refusal(tmp_path) == (
        f"{tmp_path}/modules.json: module {module!r} is not supported; "
        "use a model of Transformer, Pooling, Normalize alone"
    )


@pytest.mark.parametrize(
    "kinds", [["Transformer"], ["Transformer", "Normalize"], ["Transformer", "Normalize", "Pooling"], []]
)
def test_modules_in_another_order_are_refused(kinds: list[str], tmp_path: Path) -> None:
    saved(tmp_path, OLD, {"modules.json": modules(*(OURS + kind for kind in kinds))})
    assert refusal(tmp_path) == (
        f"{tmp_path}/modules.json: modules {', '.join(kinds)}; use a model of Transformer, Pooling, Normalize in this "
        "order"
    )


def test_weights_in_a_folder_of_their_own_are_refused(tmp_path: Path) -> None:
    saved(tmp_path, OLD, {"modules.json": modules(f"{OURS}Transformer", f"{OURS}Pooling", first="0_Transformer")})
    assert refusal(tmp_path).startswith(f"{tmp_path}/modules.json: Transformer lies in {tmp_path}/0_Transformer; ")


MODALITIES = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("pooling", {"pooling_mode": "max"}, "pooling_mode = 'max': input should be 'cls', 'mean' or 'lasttoken'"),
        ("pooling", {"pooling_mode_mean_tokens": False, "pooling_mode_weightedmean_tokens": True}, "'weightedmean'"),
        ("pooling", {"pooling_mode_cls_token": True}, "pooling_mode = ['cls', 'mean']: "),
        ("pooling", {"include_prompt": False}, "include_prompt = False: input should be true"),
        ("general", {"similarity_fn_name": "euclidean"}, "similarity_fn_name = 'euclidean': input should be 'cosine'"),
        ("general", {"similarity_fn_name": "manhattan"}, "similarity_fn_name = 'manhattan': "),
        ("general", {"model_type": "SparseEncoder"}, "model_type = 'SparseEncoder': "),
        ("general", {"truncate_dim": 64}, "truncate_dim = 64: "),
        ("transformer", {"query_expansion": {"length": 32}}, "query_expansion = {'length': 32}: extra inputs"),
        ("transformer", {"tokenizer_args": {"padding_side": "left"}}, "tokenizer_args = "),
        ("transformer", {"transformer_task": "text-generation"}, "transformer_task = 'text-generation': "),
        ("transformer", {"module_output_name": "sentence_embedding"}, "module_output_name = 'sentence_embedding': "),
        ("transformer", {"modality_config": MODALITIES | {"message": {}}}, "modality_config.message = {}: extra"),
        ("config", {"hidden_size": "wide"}, "hidden_size = 'wide': "),
    ],
)
def test_what_no_encoder_spec_can_say_is_refused_by_file_key_and_value(
    name: str, content: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    saved(tmp_path, OLD, {FILES[name]: OLD[FILES[name]] | content})
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}/{FILES[name]}: ")
    assert reason in message
    assert message.endswith("; use another model")


@pytest.mark.parametrize("name", ["modules.json", "config.json", "1_Pooling/config.json"])
def test_a_folder_that_lacks_a_file_is_refused_by_both_names(name: str, tmp_path: Path) -> None:
    assert refusal(saved(tmp_path, OLD, {name: None})) == (
        f"{tmp_path}/{name}: no such file; name a folder that sentence-transformers saved"
    )


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '"text"'])
@pytest.mark.parametrize("name", [*FILES.values(), "modules.json"])
def test_a_file_that_is_not_what_it_should_be_is_named(name: str, content: str, tmp_path: Path) -> None:
    saved(tmp_path, OLD | {"sentence_bert_config.json": {}})
    (tmp_path / name).write_text(content)
    assert refusal(tmp_path).startswith(f"{tmp_path}/{name}: ")
