"""sentence-transformers' trainer, as its documentation shows it; prints when each step ended, and the first loss.

    rival_sentence_trainer.py TASK.json PACKAGES

A rival of benchmarks/train, with nothing of pubray. It runs in an environment of its own, with the package `datasets`,
that borrows what it lacks from the folder PACKAGES. Dropout is off, as it is there; and its batches keep their order.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Train once over the pairs of the task."""
    task, packages = sys.argv[1:]
    sys.path.append(packages)
    sys.stdout.write(json.dumps(trained(json.loads(Path(task).read_text()))) + "\n")


def trained(task: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds of the clock at which each step ended, and the loss of the first."""
    import torch
    from datasets import Dataset  # type: ignore[import-not-found]
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from torch.utils.data import SequentialSampler
    from transformers import TrainerCallback

    torch.set_num_threads(task["threads"])
    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    def in_order(dataset: Any, **options: Any) -> Any:
        return DefaultBatchSampler(SequentialSampler(dataset), **options)

    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model: Any = SentenceTransformer(task["model"], device="cpu", config_kwargs=off)
    model[0].query_length, model[0].document_length = task["query_length"], task["article_length"]
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            folder,
            per_device_train_batch_size=task["batch"],
            num_train_epochs=1,
            learning_rate=task["lr"],
            warmup_steps=0,
            lr_scheduler_type="cosine",
            weight_decay=task["weight_decay"],
            max_grad_norm=task["clip"],
            bf16=True,
            use_cpu=True,
            batch_sampler=in_order,
            router_mapping={"query": "query", "article": "document"},
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        pairs = Dataset.from_dict({"query": task["query"], "article": task["article"]})
        loss = MultipleNegativesRankingLoss(model, scale=1 / task["temperature"])
        trainer = SentenceTransformerTrainer(model, arguments, pairs, loss=loss, callbacks=[Clock()])
        trainer.train()
    return {"ends": ends, "loss": trainer.state.log_history[0]["loss"]}


if __name__ == "__main__":
    main()
