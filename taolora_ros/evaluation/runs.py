"""The verdict on one recording. Definitions: docs/evaluation.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taolora_ros.evaluation.events import Matching, Truth, cover, match_events
from taolora_ros.evaluation.metrics import average_precision, median, roc_auc, share
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S, Bools

NS_PER_HOUR = 3600 * NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class RowKinds:
    """What each of the R rows of a trace is."""

    watched: Bools  # [R] after the warm-up
    anomalous: Bools  # [R] its cell touches a true event
    normal: Bools  # [R] watched, outside true events and the tolerance after them


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """What one recording showed; figures that need labels are None without them."""

    name: str
    trace: Trace
    truths: tuple[Truth, ...] | None
    matching: Matching | None
    average_precision: float | None
    roc_auc: float | None
    normal_hours: float | None  # watched time outside true events and their tolerance
    normal_in_alarm: float | None  # share of those rows that lie in a detection
    events_unwatched: int  # true events over before the detector watched
    fp16_share: float | None  # share of the watched tokens on the FP16 path
    normal_fp16_share: float | None
    event_fp16_share: float | None  # among the rows of true events
    zero_ns: int  # what the times shown are counted from
    counts: Mapping[str, int] = field(default_factory=dict)  # of the intake
    wall_s: float = 0.0  # what the run took
    tolerance_s: float = 0.0  # how long after its end a true event might still be reported

    @property
    def events(self) -> int | None:
        """How many true events there are."""
        return None if self.truths is None else len(self.truths)

    @property
    def events_found(self) -> int | None:
        """How many of them were found."""
        return None if self.matching is None else self.matching.found

    @property
    def false_alarms(self) -> int | None:
        """How many detections overlap no true event."""
        return None if self.matching is None else len(self.matching.false_alarms)

    @property
    def false_alarms_per_hour(self) -> float | None:
        """False alarms an hour of normal watched time; None without such time."""
        if self.false_alarms is None or not self.normal_hours:
            return None
        return self.false_alarms / self.normal_hours

    @property
    def median_delay_s(self) -> float | None:
        """Median of the delays of the found events whose alarm did not stand before."""
        return None if self.matching is None else median(m.delay_s for m in self.matching.matches)

    @property
    def duration_s(self) -> float:
        """Time that the grid rows span."""
        trace = self.trace
        if not len(trace.first_ns):
            return 0.0
        return float(trace.last_ns[-1] + trace.period_ns - trace.first_ns[0]) / NS_PER_S


def row_kinds(trace: Trace, truths: Sequence[Truth], *, tolerance_s: float) -> RowKinds:
    """Tell normal rows from anomalous ones; those within the tolerance are neither."""
    stamps, period_ns = trace.row_stamps_ns, trace.period_ns
    late_ns = round(tolerance_s * NS_PER_S)
    watched = trace.rows(trace.is_watching)
    anomalous = cover(stamps, [(t.onset_ns, t.end_ns) for t in truths], period_ns=period_ns)
    excused = cover(
        stamps, [(t.onset_ns, t.end_ns + late_ns) for t in truths], period_ns=period_ns
    )
    return RowKinds(watched, anomalous, watched & ~excused)


def judge(
    name: str,
    trace: Trace,
    truths: Sequence[Truth] | None,
    *,
    tolerance_s: float,
    counts: Mapping[str, int] | None = None,
    wall_s: float = 0.0,
    zero_ns: int | None = None,
) -> RunResult:
    """Compare a trace with the truth.

    Rows count from the end of the warm-up on; a row has the score of its token, and is anomalous
    if its cell touches a true event. Rows within the tolerance after a true event are neither
    normal time nor false alarms.

    Args:
        name: of the recording.
        trace: what the pipeline said.
        truths: what truly happened; None where that is unknown.
        tolerance_s: how long after its end a true event may still be reported.
        counts: what the intake counted.
        wall_s: what the run took.
        zero_ns: what shown times are counted from; the first token's first row unless given.
    """
    base: dict[str, Any] = {
        'name': name,
        'trace': trace,
        'fp16_share': share(trace.is_transient, trace.is_watching),
        'counts': dict(counts or {}),
        'wall_s': wall_s,
        'zero_ns': trace.start_ns if zero_ns is None else zero_ns,
        'tolerance_s': tolerance_s,
    }
    if truths is None:
        return RunResult(
            truths=None,
            matching=None,
            average_precision=None,
            roc_auc=None,
            normal_hours=None,
            normal_in_alarm=None,
            events_unwatched=0,
            normal_fp16_share=None,
            event_fp16_share=None,
            **base,
        )
    period_ns, stamps = trace.period_ns, trace.row_stamps_ns
    kinds = row_kinds(trace, truths, tolerance_s=tolerance_s)
    in_alarm = cover(
        stamps, [(d.onset_ns, d.end_ns + 1) for d in trace.detections], period_ns=period_ns
    )
    watched, labels, scores = kinds.watched, kinds.anomalous, trace.rows(trace.scores)
    unwatched = [
        truth
        for truth in truths
        if not cover(stamps, [(truth.onset_ns, truth.end_ns)], period_ns=period_ns)[watched].any()
    ]
    routed = trace.rows(trace.is_transient)
    return RunResult(
        truths=tuple(sorted(truths, key=lambda truth: truth.onset_ns)),
        matching=match_events(truths, trace.detections, tolerance_s=tolerance_s),
        average_precision=average_precision(labels[watched], scores[watched]),
        roc_auc=roc_auc(labels[watched], scores[watched]),
        normal_hours=int(np.count_nonzero(kinds.normal)) * period_ns / NS_PER_HOUR,
        normal_in_alarm=share(in_alarm, kinds.normal),
        events_unwatched=len(unwatched),
        normal_fp16_share=share(routed, kinds.normal),
        event_fp16_share=share(routed, labels & watched),
        **base,
    )
