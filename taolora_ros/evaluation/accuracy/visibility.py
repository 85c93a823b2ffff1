"""How strong a fault has to be for full precision to see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taolora_ros.evaluation.accuracy.verdicts import Verdict
from taolora_ros.evaluation.events import Match
from taolora_ros.evaluation.runs import RunResult

SEEN = 0.95


@dataclass(frozen=True, slots=True)
class Graded:
    """A true event of known strength."""

    kind: str
    strength: float
    is_found: bool


def graded(results: Sequence[RunResult], verdicts: Sequence[Verdict]) -> list[Graded]:
    """All true events with their strengths, in order of recordings and onsets.

    Args:
        results: what was found.
        verdicts: of the same recordings, which know the strengths.
    """
    return [
        Graded(match.truth.kind, strength, match.is_found)
        for result, verdict in zip(results, verdicts, strict=True)
        for match, strength in zip(_matches(result), verdict.strengths, strict=True)
    ]


def _matches(result: RunResult) -> Sequence[Match]:
    return result.matching.matches if result.matching else ()


def visibility_limits(events: Sequence[Graded]) -> Mapping[str, float | None]:
    """The least strength of each kind from which on 95 % of the faults are found.

    Of all events at least as strong, that share is found; None where not even the strongest is.
    """
    limits: dict[str, float | None] = {}
    for kind in sorted({event.kind for event in events}):
        strongest = sorted(
            (event for event in events if event.kind == kind), key=lambda event: -event.strength
        )
        found, limit = 0, None
        for count, event in enumerate(strongest, start=1):
            found += event.is_found
            if found >= SEEN * count:
                limit = event.strength
        limits[kind] = limit
    return limits


def is_visible(event: Graded, limits: Mapping[str, float | None]) -> bool:
    """Whether an event is as strong as the limit of its kind."""
    limit = limits[event.kind]
    return limit is not None and event.strength >= limit
