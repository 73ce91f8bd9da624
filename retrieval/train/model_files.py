"""What a folder of a trained model says beside its weights, so that sentence-transformers makes the same vectors.

The inverse of `retrieval.embed.sentence_transformers`, which reads it.
"""

from typing import Any

from schemas.encoder import EncoderSpec, Pooling

POOLING_MODES: dict[Pooling, str] = {"cls": "cls", "mean": "mean", "last": "lasttoken"}
TEXT = "{text}"


def sentence_transformers_files(spec: EncoderSpec) -> dict[str, Any]:
    """Return JSON documents by their paths in the folder; none where that library cannot say what the spec does.

    It has one model for queries and articles, puts a prompt before a text, and adds no token by its id.
    """
    towers = (spec.query, spec.article)
    templates = [tower.template.replace("{task}", tower.task or "") for tower in towers]
    one = spec.query.model == spec.article.model and spec.query.revision == spec.article.revision
    if (
        not one
        or any(tower.pair or tower.append_eos for tower in towers)
        or not all(t.endswith(TEXT) for t in templates)
    ):
        return {}
    query, document = (of.removesuffix(TEXT).replace("{{", "{").replace("}}", "}") for of in templates)
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), *([("Normalize", "2_Normalize")] if spec.normalize else [])]
    return {
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(kinds)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": spec.dimension,
            "pooling_mode": POOLING_MODES[spec.pooling],
            "include_prompt": True,
        },
        "sentence_bert_config.json": {
            "max_seq_length": max(spec.query.max_length, spec.article.max_length),
            "query_length": spec.query.max_length,
            "document_length": spec.article.max_length,
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": query, "document": document},
            "similarity_fn_name": "cosine" if spec.normalize else "dot",
        },
    }
