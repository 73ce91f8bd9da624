"""Encoder specs out of the folders that sentence-transformers saves.

The types below are what an encoder spec can say; any other value in those files is refused by name. Not supported:
modules other than Transformer, Pooling and Normalize (Dense, LSTM, Router, StaticEmbedding, CLIPModel, a model's own
code), weights in a folder of their own, several pooling modes at once, prompts left out of pooling (INSTRUCTOR), chat
templates and modalities other than text, query expansion, shortened vectors (truncate_dim), lower-casing that
tokenizer.json does not do itself, and Euclidean or Manhattan distance. `default_prompt_name` is of plain `encode`
only; the spec is that of `encode_query` and `encode_document`.

Read as sentence-transformers 6.2 reads them, in the formats of its versions 2 to 6.
"""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, Field, PositiveInt, RootModel, ValidationError, model_validator

from retrieval.embed.tokens import load_tokenizer
from schemas.base import Frozen, first_wrong
from schemas.encoder import PREFIX
from schemas.errors import InputError

KINDS = ("Transformer", "Pooling", "Normalize")
POOLINGS = {"cls": "cls", "mean": "mean", "lasttoken": "last"}
UNLIMITED = 10**20
"""Tokenizers without a limit name a length beyond it."""

File = TypeVar("File", bound=BaseModel)


class _Modules(RootModel[list[dict[str, Any]]]):
    """modules.json."""


class _Pooling(BaseModel):
    """1_Pooling/config.json."""

    pooling_mode: Literal["cls", "mean", "lasttoken"]
    include_prompt: Literal[True] = True

    @model_validator(mode="before")
    @classmethod
    def _one_mode(cls, values: Any) -> Any:
        """Before version 6 there was a boolean per mode, such as pooling_mode_cls_token and pooling_mode_lasttoken."""
        if not isinstance(values, dict):
            return values
        named = {k.removeprefix("pooling_mode_"): on for k, on in values.items() if k.startswith("pooling_mode_")}
        old = [name.removesuffix("_tokens").removesuffix("_token") for name, on in named.items() if on]
        modes = values.get("pooling_mode", old or "mean")
        return values | {"pooling_mode": modes[0] if isinstance(modes, list) and len(modes) == 1 else modes}


class _Method(Frozen):
    method: Literal["forward"]
    method_output_name: Literal["last_hidden_state"]


class _Modalities(Frozen):
    text: _Method


class _Transformer(Frozen):
    """sentence_bert_config.json."""

    max_seq_length: PositiveInt | None = None
    query_length: PositiveInt | None = None
    document_length: PositiveInt | None = None
    do_lower_case: bool = False
    transformer_task: Literal["feature-extraction"] = "feature-extraction"
    module_output_name: Literal["token_embeddings"] = "token_embeddings"
    modality_config: _Modalities | None = None
    unpad_inputs: bool | None = None


class _General(BaseModel):
    """config_sentence_transformers.json."""

    model_type: Literal["SentenceTransformer"] = "SentenceTransformer"
    prompts: dict[str, str | None] = {}
    similarity_fn_name: Literal["cosine", "dot"] | None = None
    truncate_dim: None = None


class _Weights(BaseModel):
    """config.json."""

    dimension: PositiveInt = Field(validation_alias=AliasChoices("hidden_size", "d_model", "dim"))
    max_position_embeddings: int | None = None


class _Tokenizer(BaseModel):
    """tokenizer_config.json."""

    model_max_length: float | None = None


def encoder_values(folder: Path, model: str, revision: str | None) -> dict[str, Any]:
    """Return the values of the `EncoderSpec` that gives the vectors of `encode_query` and `encode_document`.

    An article's text is its title and abstract. `model` and `revision` are what the spec calls the folder. Of the
    folder only JSON files are read. Cosine similarity, which is what a folder that names none has, is an inner product
    of vectors of length 1.

    Raises:
        InputError: names the file and the value in it that is missing or that no encoder spec can say.
    """
    modules = _modules(folder)
    general = _read(folder / "config_sentence_transformers.json", _General, default={})
    weights = _read(folder / "config.json", _Weights)
    query_length, article_length = _lengths(folder, weights)
    article_prompts = [general.prompts.get(name) for name in ("document", "passage", "corpus")]
    place = {"model": model, "revision": revision}
    return {
        "name": Path(model.removeprefix(PREFIX)).absolute().name,
        "pooling": POOLINGS[_read(modules["Pooling"] / "config.json", _Pooling).pooling_mode],
        "normalize": "Normalize" in modules or general.similarity_fn_name != "dot",
        "dimension": weights.dimension,
        "query": place | {"max_length": query_length, "template": _template(general.prompts.get("query"))},
        "article": place
        | {"max_length": article_length, "template": _template(next(filter(None, article_prompts), None))},
    }


def _template(prompt: str | None) -> str:
    """Return a template that puts the prompt, whatever braces it has, before the text."""
    return (prompt or "").replace("{", "{{").replace("}", "}}") + "{text}"


def _modules(folder: Path) -> dict[str, Path]:
    path = folder / "modules.json"
    modules = {}
    for module in _read(path, _Modules).root:
        name = str(module.get("type"))
        kind = name.rpartition(".")[2]
        if not name.startswith("sentence_transformers.") or kind not in KINDS:
            raise InputError(f"{path}: module {name!r} is not supported; use a model of {', '.join(KINDS)} alone")
        modules[kind] = folder / str(module.get("path", ""))
    if tuple(modules) not in (KINDS[:2], KINDS):
        raise InputError(f"{path}: modules {', '.join(modules)}; use a model of {', '.join(KINDS)} in this order")
    if modules["Transformer"] != folder:
        raise InputError(f"{path}: Transformer lies in {modules['Transformer']}; save the model anew, or move it up")
    return modules


def _lengths(folder: Path, weights: _Weights) -> tuple[int, int]:
    # Old versions named the file for the model, such as sentence_roberta_config.json.
    paths = [folder / "sentence_bert_config.json", *sorted(folder.glob("sentence_*_config.json"))]
    path = next((p for p in paths if p.exists()), paths[0])
    transformer = _read(path, _Transformer, default={})
    limit = transformer.max_seq_length or _tokenizer_limit(folder, weights)
    query, article = transformer.query_length or limit, transformer.document_length or limit
    if query is None or article is None:
        raise InputError(f"{path}: no max_seq_length, and tokenizer_config.json has no model_max_length; give one")
    if transformer.do_lower_case and not _lowers(folder):
        raise InputError(f"{path}: do_lower_case, but tokenizer.json does not; put the Lowercase normalizer there")
    return query, article


def _tokenizer_limit(folder: Path, weights: _Weights) -> int | None:
    tokenizer = _read(folder / "tokenizer_config.json", _Tokenizer, default={})
    limits = (tokenizer.model_max_length, weights.max_position_embeddings)
    return min((int(limit) for limit in limits if limit is not None and 0 < limit < UNLIMITED), default=None)


def _lowers(folder: Path) -> bool:
    normalizer = load_tokenizer(folder, max_length=1).normalizer
    return normalizer is not None and normalizer.normalize_str("A") == "a"


def _read(path: Path, kind: type[File], default: dict[str, Any] | None = None) -> File:
    """Return a JSON file as what it should be; where there is none, one that holds `default`."""
    if default is not None and not path.exists():
        return kind.model_validate(default)
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a folder that sentence-transformers saved") from None
    except ValidationError as error:
        raise InputError(f"{path}: {first_wrong(error)}; use another model") from None
