"""How alike an encoder finds sentences, beside what people say."""

from pathlib import Path

from actors.embed.towers import QueryTower
from actors.engine.cpu_threads import available_threads
from retrieval.evaluate.judgments import text_lines
from retrieval.evaluate.sentence_pairs import correlate, read_sentence_pairs
from schemas.config import Config
from schemas.errors import InputError
from schemas.protocols import Query
from schemas.quality_report import PairsReport


def score_pairs(config: Config, file: Path, task: str | None) -> PairsReport:
    """Encode both sentences of each pair by the query tower, as MedCPT's authors do, and correlate.

    Inner products are what the encoder was trained for, cosines what most tables of others have; of vectors of length 1
    they are the same.

    Raises:
        InputError: a task for an encoder that takes none; a file that cannot be read, or holds no scored pairs.
    """
    if task is not None and config.encoder.query.task is None:
        raise InputError(f"task {task!r}: {config.encoder.name} takes no task; leave it out")
    pairs = read_sentence_pairs(text_lines(file), str(file))
    tower = QueryTower(config, available_threads())
    firsts = tower.encode([Query(pair.first, task) for pair in pairs])
    seconds = tower.encode([Query(pair.second, task) for pair in pairs])
    found = correlate(firsts, seconds, [pair.score for pair in pairs])
    return PairsReport(encoder=config.encoder.name, pairs=len(pairs), **found)
