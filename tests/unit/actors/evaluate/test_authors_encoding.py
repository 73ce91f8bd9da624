from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from actors.evaluate.authors_encoding import bmretriever_passage, bmretriever_query, bmretriever_vectors
from tests.support.models import tiny_causal
from tests.support.models.tiny import WORDS

TEXTS = ["muscle pain", " ".join(WORDS * 50), "hay fever in mice"]  # the second has 600 tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.model(tmp_path_factory.mktemp("causal"))


def test_texts_are_laid_out_as_by_eval_py() -> None:
    assert bmretriever_query("statins", "Find.") == "Find.\nQuery: statins"
    assert bmretriever_passage("A title.", "An abstract.") == "Represent this passage\npassage: A title. An abstract."
    assert bmretriever_passage("", "An abstract.") == "Represent this passage\npassage: An abstract."


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_by_one_is_what_eval_py_does_in_padded_batches(side: str, folder: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, side
    encoded = tokenizer(TEXTS, max_length=511, truncation=True, return_attention_mask=False)
    ids = [[*text, tokenizer.eos_token_id] for text in encoded["input_ids"]]
    batch = tokenizer.pad({"input_ids": ids}, padding=True, return_attention_mask=True, return_tensors="pt")
    mask = batch["attention_mask"]
    assert mask.sum(1).tolist() == [3, 512, 5]
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    last = hidden[:, -1] if side == "left" else hidden[torch.arange(3), mask.sum(1) - 1]
    assert torch.allclose(torch.from_numpy(bmretriever_vectors(folder, TEXTS)), last, atol=1e-4)
