"""The gradient of a re-ranker's loss: that of one process, on however many workers."""

from collections.abc import Iterator

import numpy as np
import torch

from actors.train.peers import Peers
from actors.train.reranker.trained_reranker import TrainedReranker
from retrieval.embed.tokens import Tokens
from retrieval.train.batches import seed_of
from retrieval.train.losses import Scored, distillation, softmax_losses
from schemas.arrays import Floats
from schemas.training import RerankerTrainConfig


class RerankerGradients:
    """Adds a batch's gradient to the model's parameters: of each worker its share, that of its own queries.

    What is learnt from one query depends on no other one, so nothing goes between workers but the sum of gradients, and
    memory is that of one query's texts.
    """

    def __init__(self, model: TrainedReranker, peers: Peers, config: RerankerTrainConfig) -> None:
        self._model, self._peers, self._config = model, peers, config

    def add(
        self, texts: list[list[Tokens]], weights: Floats, taught: list[Floats | None], batch: int, share: float
    ) -> dict[str, torch.Tensor]:
        """Add `share` of it; return the parts of the loss, of this worker's queries.

        texts: of each query those with 1 + n articles, of which the first is the positive. weights: of the queries.
        taught: of each a teacher's scores (1 + n,), where there are some.
        """
        config, device = self._config, self._model.device
        wanted = {"listwise": config.loss == "listwise", "distillation": config.distil == "scores"}
        totals = {name: torch.zeros((), device=device) for name, is_wanted in wanted.items() if is_wanted}
        for number, counts in self._own(len(texts)):
            logits_1N = self._model.logits(texts[number], seed_of(config.seed, batch, number))[None]
            weight_1 = torch.tensor([counts * weights[number] / weights.sum()], device=device).to(logits_1N)
            parts = {}
            if config.loss == "listwise":
                first = torch.zeros(1, dtype=torch.long, device=device)
                parts["listwise"] = (weight_1 * softmax_losses(Scored(logits_1N, first), 1.0)).sum()
            if (of_teacher := taught[number]) is not None:
                scores_1N = torch.from_numpy(of_teacher)[None].to(logits_1N)
                parts["distillation"] = config.distil_weight * distillation(
                    logits_1N,
                    scores_1N,
                    weight_1,
                    temperature=1.0,
                    teacher_temperature=config.teacher_temperature,
                )
            torch.autograd.backward(list(parts.values()), [torch.full_like(part, share) for part in parts.values()])
            totals = {name: total + parts[name].detach() for name, total in totals.items()}
        return totals

    @torch.no_grad()
    def scores(self, texts: list[list[Tokens]]) -> list[Floats]:
        """Return the logits of each query's articles, whoever computed them."""
        sizes = [len(of) for of in texts]
        found = torch.zeros(sum(sizes), device=self._model.device)
        begins = np.cumsum([0, *sizes]).tolist()
        for number, counts in self._own(len(texts)):
            logits = self._model.logits(texts[number], None)
            if counts:
                found[begins[number] : begins[number + 1]] = logits
        self._peers.add(found)
        return [of.cpu().numpy() for of in torch.split(found, sizes)]

    def _own(self, queries: int) -> Iterator[tuple[int, bool]]:
        """Yield which queries this worker computes, and whether they count.

        Of a model that is spread every worker computes equally many: one that has no more does the first again.
        """
        rank, size = self._peers.rank, self._peers.size
        for number in range(rank, queries + (-queries % size if self._config.spread else 0), size):
            yield (number, True) if number < queries else (0, False)
