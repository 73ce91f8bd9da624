"""The re-rankers: what scores a query against the text of each candidate."""

from collections.abc import Sequence
from pathlib import Path

from actors.embed.towers import ArticleTower, QueryTower
from actors.engine.cpu_threads import available_threads
from actors.engine.engines import in_thread, load_engine
from actors.fetch.stored_models import folder_of
from retrieval.embed.tokens import load_tokenizer, pad_id, token_batches, tokenize_pairs
from retrieval.search.fusion import fuse, max_sim
from schemas.config import Config, EngineConfig
from schemas.errors import InputError, UsageError
from schemas.protocols import ArticleText, Query, RerankScore, Scoring


class MaxSimReranker:
    """Late interaction over the encoder's own token vectors, fused with the first stage; needs no further weights."""

    def __init__(self, query_tower: QueryTower, article_tower: ArticleTower) -> None:
        self._query_tower, self._article_tower = query_tower, article_tower
        # What an engine loads at its first use takes seconds, and a request has few.
        query_tower.token_vectors(query_tower.tokens([Query("")]))
        article_tower.token_vectors(article_tower.tokens([ArticleText("", "")]))

    def scores(self, scorings: Sequence[Scoring]) -> list[list[RerankScore]]:
        """Score the passages of all queries in shared batches."""
        matches = [m for s in scorings for m in s.matches]
        texts = [ArticleText(m.article.title, m.article.abstract) for m in matches]
        passages = iter(self._article_tower.token_vectors(self._article_tower.tokens(texts)))
        queries = self._query_tower.token_vectors(self._query_tower.tokens([s.query for s in scorings]))
        results = []
        for scoring, query in zip(scorings, queries, strict=True):
            raw = [max_sim(query, next(passages)) for _ in scoring.matches]
            fused = fuse([m.score for m in scoring.matches], raw)
            results.append([RerankScore(r, float(f)) for r, f in zip(raw, fused, strict=True)])
        return results

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        return await in_thread(self.scores, scorings)


class CrossEncoderReranker:
    """A sequence-classification model with one label, that reads query and article together."""

    def __init__(self, folder: Path, max_length: int, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        """Load the model of `folder`; InputError: it has not exactly one label."""
        self._run = load_engine(folder, "classifier", engine, threads=threads, cache=cache)
        self._tokenizer = load_tokenizer(folder, max_length)
        self._pad, self._rule = pad_id(folder), self._run.batch_rule(engine.batch_tokens)
        [trial] = token_batches(tokenize_pairs(self._tokenizer, "query", [""]), self._rule, self._pad)
        if (labels := self._run(trial).shape[1]) != 1:
            raise InputError(f"{folder}: {labels} labels; a re-ranker has one")

    def scores(self, scorings: Sequence[Scoring]) -> list[list[RerankScore]]:
        """Score the passages of all queries in shared batches; the raw logit is final."""
        pairs = [
            tokens
            for s in scorings
            for tokens in tokenize_pairs(
                self._tokenizer, s.query.text, [f"{m.article.title} {m.article.abstract}".strip() for m in s.matches]
            )
        ]
        logits = [0.0] * len(pairs)
        batches = token_batches(pairs, self._rule, self._pad)
        for batch, output in self._run.run(batches, lambda logits, _: logits[:, 0].float()):
            for position, logit in zip(batch.positions, output.tolist(), strict=True):
                logits[position] = logit
        remaining = iter(logits)
        return [[RerankScore(x, x) for x in (next(remaining) for _ in s.matches)] for s in scorings]

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        return await in_thread(self.scores, scorings)


def load_reranker(config: Config) -> MaxSimReranker | CrossEncoderReranker | None:
    """Load the configured re-ranker.

    Raises:
        UsageError: it is a cross-encoder without a model.
        InputError: its model cannot be had, or is a .bin that is not trusted.
    """
    rerank, threads = config.rerank, available_threads()
    if rerank.kind == "none":
        return None
    if rerank.kind == "maxsim":
        return MaxSimReranker(QueryTower(config, threads), ArticleTower(config, threads))
    if rerank.model is None:
        raise UsageError("rerank.kind = 'cross-encoder' needs rerank.model, a folder or a hub name")
    folder = folder_of(rerank, config)
    return CrossEncoderReranker(folder, rerank.max_length, config.engine, threads=threads, cache=Path(config.cache))
