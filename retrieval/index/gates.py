"""Gates: the figures of a version beside their limits; a night serves what has passed all."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from schemas.config import IndexConfig
from schemas.manifest import Checks, Gate, IndexVersion
from schemas.snapshot import SnapshotInfo

USUAL = 14
"""Nights that the next one is compared with."""
FEWEST = 7
"""Of fewer it is not said what is usual."""


class Arrivals(NamedTuple):
    """What came from one snapshot to a later one."""

    rejected_share: float | None
    """Of the records that were read; None: none was."""
    encoded_share: float | None
    """Of all articles, those with a new text, per source file; None: no file came, or it is not known."""


def arrivals(line: Sequence[SnapshotInfo], before: SnapshotInfo | None) -> Arrivals:
    """Return what came since a snapshot; line: the later one, the one that it followed, and so on."""
    newest, known = line[0], set(before.parts) if before else set()
    came = [part for part in newest.parts if part not in known]
    rejected = sum(sum(newest.part_files[p.name].rejected.values()) for p in came if p.name in newest.part_files)
    read = rejected + sum(part.rows for part in came)
    since = line[: line.index(before)] if before in line else ()
    texts = sum(info.counts.added + info.counts.revised_text for info in since)
    encoded = texts / newest.counts.alive / len(came) if since and came and newest.counts.alive else None
    return Arrivals(rejected / read if read else None, encoded)


def usual_shares(parent: Checks | None) -> tuple[float, ...]:
    """Return the encoded shares of the nights up to a version, oldest first."""
    if parent is None:
        return ()
    own = () if parent.encoded_share is None else (parent.encoded_share,)
    return (*parent.usual_shares, *own)[-USUAL:]


def gates(version: IndexVersion, rules: IndexConfig, known: Sequence[IndexVersion]) -> tuple[Gate, ...]:
    """Return the figures of a version beside the limits of the configuration, whatever these were when it was made.

    known: among others that which it was built on.
    """
    parent = next((v for v in known if v.id == version.parent), version)
    found = (*_of_answers(version, rules), *_of_articles(version, parent, rules))
    return tuple(
        gate if gate.passed else gate.model_copy(update={"why": f"version {version.id} {gate.why}"}) for gate in found
    )


def _of_answers(version: IndexVersion, rules: IndexConfig) -> Iterator[Gate]:
    checks = version.checks
    yield _least(
        "recall@10",
        checks.recall.at_10,
        rules.recall_floor,
        f"finds {checks.recall.at_10:.3f} of what an exact search finds, the floor is {rules.recall_floor}; raise "
        "index.nprobe or index.candidates",
    )
    if checks.canaries:
        failed = [canary for canary in checks.canaries if canary.missing]
        first = f", PMID {failed[0].missing[0]} by {failed[0].text!r} among them" if failed else ""
        yield _least(
            "canaries",
            1 - len(failed) / len(checks.canaries),
            rules.canary_floor,
            f"does not find what {len(failed)} of {len(checks.canaries)} canaries must find{first}, index.canary_floor "
            f"is {rules.canary_floor}; ask it with pubray search --version",
        )
    if checks.canary_change is not None:
        yield _most(
            "canary change",
            checks.canary_change,
            rules.max_canary_change,
            f"answers {checks.canary_change:.1%} of what it is asked otherwise than {version.parent}, though the "
            f"articles are what they were, the limit is {rules.max_canary_change:.1%}; ask both with pubray search "
            "--version",
        )


def _of_articles(version: IndexVersion, parent: IndexVersion, rules: IndexConfig) -> Iterator[Gate]:
    checks = version.checks
    other = f" (its selection is {version.selection}, not {parent.selection})"
    yield _most(
        "removed share",
        checks.removed_share,
        rules.max_removed,
        f"lacks {checks.removed_share:.1%} of the articles of {version.parent}"
        f"{other if version.selection != parent.selection else ''}, the limit is {rules.max_removed:.1%}; if they are "
        "to go, run again with --allow-removed",
    )
    yield _most(
        "dead share",
        checks.dead_share,
        rules.dead_ceiling,
        f"has {checks.dead_share:.1%} dead rows, index.dead_ceiling is {rules.dead_ceiling:.1%}; run pubray index "
        "--full",
    )
    if checks.rejected_share is not None:
        yield _most(
            "rejected share",
            checks.rejected_share,
            rules.rejected_ceiling,
            f"lacks {checks.rejected_share:.1%} of the records of its new files, which were rejected, "
            f"index.rejected_ceiling is {rules.rejected_ceiling:.1%}; pubray ingest says why",
        )
    if checks.encoded_share is not None and len(checks.usual_shares) >= FEWEST:
        usual = median(checks.usual_shares)
        yield _most(
            "encoded share",
            checks.encoded_share,
            rules.max_encoded * usual,
            f"has new texts of {checks.encoded_share:.2%} of its articles a source file, the median of "
            f"{len(checks.usual_shares)} nights is {usual:.2%}, and index.max_encoded {rules.max_encoded:g} times that",
        )


def _least(name: str, value: float, limit: float, why: str) -> Gate:
    return Gate(name=name, value=value, limit=limit, passed=value >= limit, why=None if value >= limit else why)


def _most(name: str, value: float, limit: float, why: str) -> Gate:
    return Gate(name=name, value=value, limit=limit, passed=value <= limit, why=None if value <= limit else why)
