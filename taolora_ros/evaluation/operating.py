"""The operating curve: what other thresholds would have found, at what cost in false alarms.

N thresholds. Definitions: docs/evaluation.md; every count means what it means in `events`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.retracking import Alarms, track
from taolora_ros.evaluation.runs import RunResult, row_kinds
from taolora_ros.samples import NS_PER_S, Floats, Ints

LEVELS = 100
LOWEST = 0.5  # score below which no threshold makes sense: most normal hops would alarm


@dataclass(frozen=True, slots=True, eq=False)
class OperatingCurve:
    """All runs with labels, judged at N thresholds."""

    thresholds: Floats  # [N] ascending
    found: Ints  # [N] true events that an alarm overlaps
    fresh: Ints  # [N] those of them whose alarm was raised after the onset
    false_alarms: Ints  # [N]
    normal_in_alarm: Floats  # [N] share of the normal rows, 0 to 1
    events: int
    normal_hours: float

    @property
    def false_alarms_per_hour(self) -> Floats:
        """[N] over the hours of normal watched time."""
        return self.false_alarms / self.normal_hours

    @property
    def useful(self) -> slice:
        """Thresholds down to the one with most false alarms; below it, alarms merge."""
        return slice(int(np.argmax(self.false_alarms)), None)


@dataclass(frozen=True, slots=True)
class _Counts:
    found: int
    fresh: int
    false_alarms: int


def operating_curve(
    runs: Sequence[RunResult], settings: DetectionConfig, *, levels: int = LEVELS
) -> OperatingCurve | None:
    """Judge the runs at thresholds evenly spaced from low to beyond the highest score.

    Args:
        runs: those without labels are left out.
        settings: `merge_s` and `min_duration_s` of the event tracker.
        levels: how many thresholds.

    Returns:
        None where there is no true event, no normal time, or no score to speak of.
    """
    labeled = [run for run in runs if run.truths is not None]
    events = sum(run.events or 0 for run in labeled)
    hours = sum(run.normal_hours or 0.0 for run in labeled)
    highest = max((float(run.trace.scores.max(initial=0.0)) for run in labeled), default=0.0)
    if not events or not hours or highest <= LOWEST:
        return None
    thresholds = np.linspace(LOWEST, highest * 1.02, levels).astype(np.float64)
    totals = np.zeros((levels, 4), dtype=np.int64)
    for run in labeled:
        normal = _normal_rows(run)
        for level, threshold in enumerate(thresholds.tolist()):
            alarms = track(run.trace, threshold, settings)
            counts = _match(run, alarms)
            totals[level] += (
                counts.found,
                counts.fresh,
                counts.false_alarms,
                int((normal[alarms.last + 1] - normal[alarms.first]).sum()),
            )
    found, fresh, false, in_alarm = totals.T
    rows = sum(int(_normal_rows(run)[-1]) for run in labeled)
    return OperatingCurve(
        thresholds=thresholds,
        found=found,
        fresh=fresh,
        false_alarms=false,
        normal_in_alarm=in_alarm / rows,
        events=events,
        normal_hours=hours,
    )


def operating_to_mapping(curve: OperatingCurve | None) -> list[dict[str, Any]]:
    """One entry a threshold, as plain data."""
    if curve is None:
        return []
    columns = {
        'threshold': curve.thresholds,
        'events_found': curve.found,
        'events_found_fresh': curve.fresh,
        'false_alarms': curve.false_alarms,
        'false_alarms_per_hour': curve.false_alarms_per_hour,
        'normal_in_alarm': curve.normal_in_alarm,
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _normal_rows(run: RunResult) -> Ints:
    """[H + 1] how many normal rows lie before each hop of the trace."""
    kinds = row_kinds(run.trace, run.truths or (), tolerance_s=run.tolerance_s)
    each = kinds.normal.reshape(-1, run.trace.patch).sum(axis=1)
    counted: Ints = np.concatenate(([0], np.cumsum(each)))
    return counted


def _match(run: RunResult, alarms: Alarms) -> _Counts:
    """Counts as by `events.match_events`; alarms come in order and don't overlap."""
    trace = run.trace
    truths = run.truths or ()
    starts_ns = np.array([truth.onset_ns for truth in truths], dtype=np.int64)
    ends_ns = np.array([truth.end_ns for truth in truths], dtype=np.int64)
    ends_ns += round(run.tolerance_s * NS_PER_S)
    onsets_ns, lasts_ns = trace.first_ns[alarms.first], trace.last_ns[alarms.last]
    raised_ns = trace.last_ns[alarms.raised] + trace.period_ns
    never = np.append(onsets_ns, np.iinfo(np.int64).max)
    overlapping = np.searchsorted(lasts_ns, starts_ns)
    fresh = np.maximum(overlapping, np.searchsorted(raised_ns, starts_ns))
    # A truth meets an alarm unless it begins after it or was over before it.
    begun = np.searchsorted(np.sort(starts_ns), lasts_ns, side='right')
    over = np.searchsorted(np.sort(ends_ns), onsets_ns, side='left')
    return _Counts(
        found=int(np.count_nonzero(never[overlapping] <= ends_ns)),
        fresh=int(np.count_nonzero(never[fresh] <= ends_ns)),
        false_alarms=int(np.count_nonzero(begun == over)),
    )
