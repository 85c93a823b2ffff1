"""True events and detections of a run as rows of the report's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.events import Detection, Match
from taolora_ros.evaluation.phrases import seconds
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.samples import NS_PER_S

SHOWN = 3  # channels named an event


@dataclass(frozen=True, slots=True)
class Part:
    """How much a channel contributed to a detection."""

    channel: str
    percent: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the table; what doesn't apply is ''."""

    kind: str
    onset: str
    verdict: str  # found; found, standing; missed; false alarm; detected
    fp32: str  # the same for the FP32 twin, where it ran
    delay: str
    alarm: str
    peak: str
    parts: tuple[Part, ...]


def event_rows(
    result: RunResult, channels: Sequence[str], *, twin: RunResult | None = None
) -> list[EventRow]:
    """True events and unmatched detections in order of time.

    Args:
        result: the run.
        channels: C names.
        twin: the same run by the FP32 twin.
    """
    zero_ns = result.zero_ns
    rows: list[tuple[int, EventRow]] = []
    if result.matching is None:
        others: Sequence[Detection] = result.trace.detections
        verdict = 'detected'
    else:
        others, verdict = result.matching.false_alarms, 'false alarm'
        by_twin = twin.matching.matches if twin and twin.matching else ()
        for number, match in enumerate(result.matching.matches):
            fp32 = _verdict(by_twin[number]) if by_twin else ''
            rows.append((match.truth.onset_ns, _of_truth(match, fp32, channels, zero_ns)))
    for hit in others:
        row = EventRow('', '', verdict, '', '', *_alarm(hit, channels, zero_ns))
        rows.append((hit.onset_ns, row))
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def _of_truth(match: Match, fp32: str, channels: Sequence[str], zero_ns: int) -> EventRow:
    return EventRow(
        match.truth.kind,
        _clock(match.truth.onset_ns, zero_ns),
        _verdict(match),
        fp32,
        seconds(match.delay_s),
        *_alarm(match.detection, channels, zero_ns),
    )


def _verdict(match: Match) -> str:
    if not match.is_found:
        return 'missed'
    return 'found, standing' if match.is_standing else 'found'


def _alarm(
    hit: Detection | None, channels: Sequence[str], zero_ns: int
) -> tuple[str, str, tuple[Part, ...]]:
    """From when to when, how high, and which channels."""
    if hit is None:
        return '', '', ()
    order = np.argsort(-hit.contributions, kind='stable')[:SHOWN]
    parts = (Part(channels[c], round(100 * float(hit.contributions[c]))) for c in order)
    return (
        f'{_clock(hit.onset_ns, zero_ns)} – {_clock(hit.end_ns, zero_ns)}',
        f'{hit.peak_score:.1f}',
        tuple(part for part in parts if part.percent),
    )


def _clock(stamp_ns: int, zero_ns: int) -> str:
    return f'{(stamp_ns - zero_ns) / NS_PER_S:.2f} s'
