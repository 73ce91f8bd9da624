"""Whole reports of which a test sets what it looks at."""

from typing import Any, TypeVar

from schemas.night_report import NightReport
from schemas.report import CompactReport, EmbedReport, IndexReport, IngestReport, Report

Kind = TypeVar("Kind", bound=Report)
PLAIN: dict[object, object] = {int: 0, float: 0.0, str: "", bool: False, str | None: None}


def filled(kind: type[Kind], **values: Any) -> Kind:
    """A report whose other fields are zeros and empty."""
    plain = {name: PLAIN.get(field.annotation, {}) for name, field in kind.model_fields.items() if field.is_required()}
    return kind(**plain | values)


def night_report(
    *,
    ingest: dict[str, Any] | None = None,
    embed: dict[str, Any] | None = None,
    index: dict[str, Any] | None = None,
    compact: dict[str, Any] | None = None,
    **values: Any,
) -> NightReport:
    """That of a night, with values of its stages; without those of `compact` that was not reached."""
    stages: dict[str, Report] = {
        "ingest": filled(IngestReport, **ingest or {}),
        "embed": filled(EmbedReport, **embed or {}),
        "index": filled(IndexReport, **index or {}),
    }
    if compact is not None:
        stages["compact"] = filled(CompactReport, **compact)
    return filled(NightReport, **stages | values)
