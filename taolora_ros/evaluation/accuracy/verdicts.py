"""The verdict on one recording at one precision: a job for a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from taolora_ros.engine import DetectorModel
from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.accuracy.parts import part_scores
from taolora_ros.evaluation.accuracy.settings import TOLERANCE_S
from taolora_ros.evaluation.accuracy.streaming import row_scores, stream
from taolora_ros.evaluation.accuracy.subjects import Case
from taolora_ros.evaluation.events import cover
from taolora_ros.evaluation.offline import arithmetic
from taolora_ros.evaluation.runs import RunResult, judge, row_kinds
from taolora_ros.evaluation.trace import Trace
from taolora_ros.evaluation.volumes import RangeScores, range_scores, vus_pr
from taolora_ros.model.base import Precision
from taolora_ros.samples import Bools, Ints


@dataclass(frozen=True, slots=True)
class QuietRows:
    """Watched rows that are normal, before the first true event."""

    rows: int
    routed: int  # of them on the FP16 path
    in_alarm: int


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What one recording showed; what needs a true event is None or empty without one."""

    result: RunResult
    strengths: tuple[float, ...]  # of the true events, where known
    quiet: QuietRows
    vus_pr: float | None
    parts: Mapping[str, float]  # VUS-PR of each part by its name
    ranges: RangeScores | None  # None without aeon too

    @property
    def name(self) -> str:
        """Of the recording."""
        return self.result.name


def judge_case(
    model: DetectorModel, case: Case, precision: Precision, *, with_parts: bool = False
) -> Verdict:
    """Stream a recording and judge what came out.

    Args:
        model: the trained detector.
        case: the recording.
        precision: the arithmetic of the dense layers.
        with_parts: whether the parts of the detector are judged too, and the ranges in alarm.
    """
    streamed = stream(model, case, arithmetic(precision, model.config.quantization.activation))
    trace = streamed.trace
    result = judge(case.name, trace, case.truths, tolerance_s=TOLERANCE_S)
    has_events = bool(case.labels.any())
    parts = part_scores(model, streamed) if with_parts and has_events else {}
    return Verdict(
        result=result,
        strengths=case.strengths,
        quiet=quiet_rows(result),
        vus_pr=vus_pr(case.labels, row_scores(case, trace, trace.scores)) if has_events else None,
        parts={
            name: vus_pr(case.labels, row_scores(case, trace, scores))
            for name, scores in parts.items()
        },
        ranges=_ranges(case, trace) if with_parts and has_events else None,
    )


def quiet_rows(result: RunResult) -> QuietRows:
    """Count the rows before the first true event; all normal rows where there is none."""
    trace, truths = result.trace, result.truths or ()
    quiet = row_kinds(trace, truths, tolerance_s=result.tolerance_s).normal
    if truths:
        quiet &= trace.row_stamps_ns < truths[0].onset_ns
    alarms = in_alarm(trace, trace.row_stamps_ns)
    return QuietRows(
        rows=int(np.count_nonzero(quiet)),
        routed=int(np.count_nonzero(quiet & trace.rows(trace.is_transient))),
        in_alarm=int(np.count_nonzero(quiet & alarms)),
    )


def in_alarm(trace: Trace, stamps_ns: Ints) -> Bools:
    """`[T]` whether the rows with these stamps `[T]` lie in a detection."""
    spans = [(found.onset_ns, found.end_ns + 1) for found in trace.detections]
    return cover(stamps_ns, spans, period_ns=trace.period_ns)


def _ranges(case: Case, trace: Trace) -> RangeScores | None:
    try:
        return range_scores(case.labels, in_alarm(trace, case.judged_ns))
    except TaoloraError:
        return None
