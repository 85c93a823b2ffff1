"""What the event tracker would have reported at another threshold, from a recorded trace.

The rules are those of `detection.events.EventTracker`, applied to all hops of a recording at once.
The scores are those of the trace. Live, an event that is on also holds the baselines, so that at
another threshold later scores would differ a little; at the trace's own the result is exact.

H hops, N events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import DetectionConfig
from taolora_ros.detection.events import merge_gap_ns
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S, Bools, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Alarms:
    """N events in order of time, as positions of hops in their trace."""

    first: Ints  # [N] hop of the onset
    raised: Ints  # [N] hop with which the event was reported
    last: Ints  # [N] last hop in alarm


def track(trace: Trace, threshold: float, settings: DetectionConfig) -> Alarms:
    """Join the hops that score at least `threshold` into events.

    Args:
        trace: of one recording.
        threshold: score that alarms.
        settings: `merge_s` and `min_duration_s` apply.
    """
    alarms = np.flatnonzero(trace.is_watching & (trace.scores >= threshold))
    if not len(alarms):
        return Alarms(alarms, alarms, alarms)
    session = np.cumsum(_is_fresh(trace))[alarms]
    # An event ends with the first quiet hop that is over longer than the gap after its last alarm.
    quiet_ns = trace.last_ns[alarms[1:] - 1] - trace.last_ns[alarms[:-1]]
    is_apart = (np.diff(session) != 0) | (quiet_ns > merge_gap_ns(settings, trace.period_ns))
    starts = np.concatenate(([0], np.flatnonzero(is_apart) + 1))
    stops = np.append(starts[1:], len(alarms))
    onsets_ns = np.repeat(trace.first_ns[alarms[starts]], stops - starts)
    is_long = trace.last_ns[alarms] - onsets_ns >= round(settings.min_duration_s * NS_PER_S)
    # The first alarm of each event that is far enough from its onset; `stops` where none is.
    candidates = np.append(np.where(is_long, np.arange(len(alarms)), len(alarms)), len(alarms))
    raised = np.minimum.reduceat(candidates, starts)
    kept = raised < stops
    return Alarms(alarms[starts[kept]], alarms[raised[kept]], alarms[stops[kept] - 1])


def _is_fresh(trace: Trace) -> Bools:
    """[H] True where an event can't go on: after a gap, and while warming up."""
    distance_ns = trace.first_ns[1:] - trace.last_ns[:-1]
    follows = np.abs(distance_ns - trace.period_ns) <= trace.period_ns // 2
    return np.concatenate(([True], ~follows)) | ~trace.is_watching
