"""Another arithmetic at the same count of false alarms.

The threshold of a detector comes from its own calibration; to compare what two find, the second
is given the threshold at which it raises as many false alarms, or fewer, as the first.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.events import Detection, Matching, match_events
from taolora_ros.evaluation.retracking import track
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.trace import Trace

# Thresholds tried, less the model's own: in decades, coarser where only a poor arithmetic gets.
_OFFSETS = np.concatenate([np.arange(-1.5, 2.0, 0.02), np.arange(2.0, 8.0, 0.25)])


def at_equal_alarms(
    results: Sequence[RunResult], allowed: int, settings: DetectionConfig
) -> tuple[RunResult, ...]:
    """The results at the threshold that finds most, of those with no more false alarms.

    Recorded scores are joined into events anew (`evaluation.retracking`). The threshold is
    chosen with the labels in hand, which favors these results: to be used for the reference
    that another one has to reach.

    Args:
        results: of all recordings, with their truths, at the threshold of the model.
        allowed: false alarms over all of them.
        settings: of the event tracker.
    """
    own = float(results[0].trace.thresholds[0])
    best, chosen = (-1, 0), math.inf  # which raises nothing
    for threshold in (own + _OFFSETS).tolist():
        matchings = [_matching(result, threshold, settings) for result in results]
        false = sum(len(matching.false_alarms) for matching in matchings)
        found = sum(matching.found for matching in matchings)
        if false <= allowed and (found, -false) > best:
            best, chosen = (found, -false), threshold
    return tuple(at_threshold(result, chosen, settings) for result in results)


def at_threshold(result: RunResult, threshold: float, settings: DetectionConfig) -> RunResult:
    """A result as recorded scores give it at another threshold."""
    trace = dataclasses.replace(
        result.trace,
        thresholds=np.full_like(result.trace.thresholds, threshold),
        detections=detections(result.trace, threshold, settings),
    )
    return judge(result.name, trace, result.truths, tolerance_s=result.tolerance_s)


def detections(trace: Trace, threshold: float, settings: DetectionConfig) -> tuple[Detection, ...]:
    """What the event tracker reports of recorded scores at a threshold."""
    alarms = track(trace, threshold, settings)
    found = []
    for number, (first, raised, last) in enumerate(
        zip(alarms.first.tolist(), alarms.raised.tolist(), alarms.last.tolist(), strict=True)
    ):
        peak = first + int(trace.scores[first : last + 1].argmax())
        found.append(
            Detection(
                id=number + 1,
                onset_ns=int(trace.first_ns[first]),
                peak_ns=int(trace.first_ns[peak]),
                end_ns=int(trace.last_ns[last]),
                raised_ns=int(trace.last_ns[raised]) + trace.period_ns,
                severity=0,
                peak_score=float(trace.scores[peak]),
                p_value=math.nan,  # a trace keeps none
                fp16_share=float(trace.is_transient[first : last + 1].mean()),
                contributions=trace.contributions[peak],
            )
        )
    return tuple(found)


def _matching(result: RunResult, threshold: float, settings: DetectionConfig) -> Matching:
    found = detections(result.trace, threshold, settings)
    return match_events(result.truths or (), found, tolerance_s=result.tolerance_s)
