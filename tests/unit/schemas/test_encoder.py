import pytest
from pydantic import ValidationError

from schemas.encoder import EncoderSpec, TowerDigests, TowerSpec, article_fingerprint

SPEC = EncoderSpec(
    name="a",
    query=TowerSpec(model="q", max_length=64),
    article=TowerSpec(model="m", revision="r", max_length=256),
    pooling="mean",
    normalize=True,
    dimension=8,
)
DIGESTS = TowerDigests(weights="1" * 64, tokenizer="2" * 64)


def changed(**article: object) -> EncoderSpec:
    return SPEC.model_copy(update={"article": SPEC.article.model_copy(update=article)})


def test_the_fingerprint_is_golden_so_that_stored_vectors_are_found_again() -> None:
    assert article_fingerprint(SPEC, DIGESTS) == "2bec1bb49a2a1f72"


@pytest.mark.parametrize(
    "other",
    [
        changed(template="passage: {text}"),
        changed(pair=True),
        changed(max_length=255),
        changed(append_eos=True),
        SPEC.model_copy(update={"pooling": "cls"}),
        SPEC.model_copy(update={"normalize": False}),
    ],
    ids=["template", "pair", "max_length", "append_eos", "pooling", "normalize"],
)
def test_what_changes_a_vector_changes_the_fingerprint(other: EncoderSpec) -> None:
    assert article_fingerprint(other, DIGESTS) != article_fingerprint(SPEC, DIGESTS)


@pytest.mark.parametrize("file", ["weights", "tokenizer"])
def test_another_file_changes_the_fingerprint(file: str) -> None:
    other = DIGESTS.model_copy(update={file: "3" * 64})
    assert article_fingerprint(SPEC, other) != article_fingerprint(SPEC, DIGESTS)


def test_weights_and_tokenizer_are_not_mixed_up() -> None:
    swapped = TowerDigests(weights=DIGESTS.tokenizer, tokenizer=DIGESTS.weights)
    assert article_fingerprint(SPEC, swapped) != article_fingerprint(SPEC, DIGESTS)


@pytest.mark.parametrize(
    "other",
    [
        SPEC.model_copy(update={"name": "b"}),
        SPEC.model_copy(update={"query": TowerSpec(model="x", max_length=9, template="query: {text}")}),
        changed(model="/elsewhere/m"),
        changed(revision=None),
    ],
    ids=["name", "query tower", "model path", "revision"],
)
def test_what_changes_no_vector_keeps_the_fingerprint(other: EncoderSpec) -> None:
    assert article_fingerprint(other, DIGESTS) == article_fingerprint(SPEC, DIGESTS)


@pytest.mark.parametrize("text", ["", "1" * 63, "1" * 64 + "\n", "G" * 64, "A" * 64])
def test_a_digest_is_64_hex_digits(text: str) -> None:
    with pytest.raises(ValidationError, match="weights"):
        TowerDigests(weights=text, tokenizer="2" * 64)


def test_a_template_that_a_pair_does_not_use_keeps_the_fingerprint() -> None:
    pair, other = changed(pair=True), changed(pair=True, template="passage: {text}")
    assert article_fingerprint(pair, DIGESTS) == article_fingerprint(other, DIGESTS)


@pytest.mark.parametrize(
    ("tower", "template", "named"),
    [
        ("query", "query:", "'query:'"),
        ("query", "{text} {title}", "'{text} {title}'"),
        ("article", "{title}", "'{title}'"),
        ("article", "{task} {text}", "'{task} {text}'"),
    ],
)
def test_a_template_without_its_text_or_of_unknown_parts_is_refused(tower: str, template: str, named: str) -> None:
    values = SPEC.model_dump()
    values[tower]["template"] = template
    with pytest.raises(ValidationError, match=f"{tower}.template {named}"):
        EncoderSpec.model_validate(values)


@pytest.mark.parametrize(("template", "task"), [("{task} {text}", None), ("{text}", "find")])
def test_a_task_goes_with_a_template_that_has_room_for_it(template: str, task: str | None) -> None:
    values = SPEC.model_dump()
    values["query"] |= {"template": template, "task": task}
    with pytest.raises(ValidationError, match=f"query.task = {task!r} does not fit"):
        EncoderSpec.model_validate(values)


def test_task_and_length_of_queries_are_the_searchers_choice() -> None:
    tasked = SPEC.query.model_copy(update={"template": "{task} {text}", "task": "find"})
    spec, other, longer = (
        SPEC.model_copy(update={"query": tasked.model_copy(update=change)})
        for change in ({}, {"task": "cite"}, {"max_length": 512})
    )
    assert spec.identity() == other.identity() == longer.identity() != SPEC.identity()
