"""Matching what the detector reported with what truly happened.

A true event counts as found if a detection overlaps it from its onset to its end plus the
tolerance. A detection that overlaps no true event in that sense is a false alarm. One detection
may find several true events, each of which counts as found; the detection counts once. That
would favor a detector that never leaves the alarm, so the share of normal rows in alarm is
always reported beside it (`evaluation.runs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import NS_PER_S, Bools, Event, Floats, Ints


@dataclass(frozen=True, slots=True)
class Truth:
    """Something that truly happened, from its onset up to its end."""

    kind: str  # e.g. 'collision'; 'anomaly' where the labels don't tell
    onset_ns: int
    end_ns: int  # the first stamp that is normal again


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One event of the detector, as last reported."""

    id: int
    onset_ns: int
    peak_ns: int
    end_ns: int
    raised_ns: int  # end of the token with which it was first reported
    severity: int
    peak_score: float  # in decades
    p_value: float
    fp16_share: float
    contributions: Floats  # [C], sums to 1

    @classmethod
    def of(cls, event: Event, raised_ns: int) -> Detection:
        """The detection that an event message tells of."""
        return cls(
            id=event.id,
            onset_ns=event.onset_ns,
            peak_ns=event.peak_ns,
            end_ns=event.end_ns,
            raised_ns=raised_ns,
            severity=int(event.severity),
            peak_score=event.peak_score,
            p_value=event.p_value,
            fp16_share=event.fp16_share,
            contributions=event.contributions,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A true event and the detection that found it.

    That is the first overlapping one raised after the true onset, else an alarm that stood.
    """

    truth: Truth
    detection: Detection | None

    @property
    def is_found(self) -> bool:
        """Whether any detection overlaps the true event."""
        return self.detection is not None

    @property
    def is_standing(self) -> bool:
        """Whether the alarm had been raised before the true event began."""
        return self.detection is not None and self.detection.raised_ns < self.truth.onset_ns

    @property
    def delay_s(self) -> float | None:
        """From the true onset to the report; None if missed or if the alarm already stood."""
        if self.detection is None or self.is_standing:
            return None
        return (self.detection.raised_ns - self.truth.onset_ns) / NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """What was found and what was raised for nothing."""

    matches: tuple[Match, ...]  # one a true event, in order of onset
    false_alarms: tuple[Detection, ...]

    @property
    def found(self) -> int:
        """How many true events were found."""
        return sum(match.is_found for match in self.matches)


def match_events(
    truths: Iterable[Truth], detections: Sequence[Detection], *, tolerance_s: float
) -> Matching:
    """Find for each true event the detection that reports it, and the false alarms.

    Args:
        truths: what truly happened, in any order.
        detections: what was reported, in any order.
        tolerance_s: how long after its end a true event may still be reported.
    """
    tolerance_ns = round(tolerance_s * NS_PER_S)
    in_order = sorted(detections, key=lambda detection: detection.onset_ns)
    used: set[int] = set()
    matches = []
    for truth in sorted(truths, key=lambda truth: truth.onset_ns):
        hits = [hit for hit in in_order if _overlaps(hit, truth, tolerance_ns)]
        used.update(id(hit) for hit in hits)
        fresh = [hit for hit in hits if hit.raised_ns >= truth.onset_ns]
        matches.append(Match(truth, next(iter(fresh or hits), None)))
    false_alarms = tuple(hit for hit in in_order if id(hit) not in used)
    return Matching(tuple(matches), false_alarms)


def _overlaps(detection: Detection, truth: Truth, tolerance_ns: int) -> bool:
    return detection.end_ns >= truth.onset_ns and detection.onset_ns <= truth.end_ns + tolerance_ns


def cover(stamps_ns: Ints, spans: Iterable[tuple[int, int]], *, period_ns: int) -> Bools:
    """Whether the grid cell [stamp, stamp + period) of each row touches one of the spans.

    Args:
        stamps_ns: [T] starts of the cells, in any order.
        spans: first and last instant of each span; an empty span is one instant.
        period_ns: length of a cell.

    Returns:
        [T] flags.
    """
    flags = np.zeros(len(stamps_ns), dtype=np.bool_)
    for start, end in spans:
        flags |= (stamps_ns + period_ns > start) & (stamps_ns < max(end, start + 1))
    return flags
