"""From verdicts to the figures of a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.verdicts import Verdict
from taolora_ros.evaluation.accuracy.visibility import (
    Graded,
    graded,
    is_visible,
    visibility_limits,
)
from taolora_ros.evaluation.intervals import (
    Interval,
    bootstrap_mean,
    clustered_share,
    ratio_of_sums,
)
from taolora_ros.evaluation.metrics import median
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import KindResult, Summary, by_kind, summarize

IMPACT = 'collision'


@dataclass(frozen=True, slots=True)
class Retained:
    """Events found at 4 bits over events found by FP32."""

    ratio: Interval | None  # None where FP32 found nothing
    found_routed: int
    found_fp32: int
    events: int
    false_alarms_routed: int
    false_alarms_fp32: int


@dataclass(frozen=True, slots=True)
class Visible:
    """Recall among the faults that FP32 sees; weaker ones are left out of this figure alone."""

    limits: Mapping[str, float | None]
    recall: Interval | None
    events: int
    found: int
    excluded: int


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What the events of a set show, at the threshold that the artifact carries."""

    summary: Summary
    recall: Interval | None
    before_fault_in_alarm: float | None
    kinds: tuple[KindResult, ...]
    impacts_median_delay_s: float | None
    visible: Visible | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a set's detectors, all together."""

    models: int
    packed: int
    numbers: int


def volumes(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """VUS-PR of the recordings with events, by name."""
    return {v.name: v.vus_pr for v in verdicts if v.vus_pr is not None}


def mean_over(series: Mapping[str, float]) -> Interval | None:
    """The mean over series; None without any."""
    return bootstrap_mean(list(series.values())) if series else None


def retained(routed: Sequence[RunResult], reference: Sequence[RunResult]) -> Retained:
    """Compare what was found on the same recordings."""
    ours = [result.events_found or 0 for result in routed]
    theirs = [result.events_found or 0 for result in reference]
    return Retained(
        ratio=ratio_of_sums(ours, theirs) if sum(theirs) else None,
        found_routed=sum(ours),
        found_fp32=sum(theirs),
        events=sum(result.events or 0 for result in routed),
        false_alarms_routed=sum(result.false_alarms or 0 for result in routed),
        false_alarms_fp32=sum(result.false_alarms or 0 for result in reference),
    )


def operating_point(verdicts: Sequence[Verdict], reference: Sequence[RunResult]) -> OperatingPoint:
    """Figures of a set.

    Args:
        verdicts: of its recordings.
        reference: FP32 on the same recordings, which tells what faults can be seen.
    """
    results = [verdict.result for verdict in verdicts]
    matches = [m for result in results if result.matching for m in result.matching.matches]
    groups = [r.name for r in results if r.matching for _ in r.matching.matches]
    found = np.array([match.is_found for match in matches], bool)
    before = [v.quiet for v in verdicts if v.result.truths]
    rows = sum(quiet.rows for quiet in before)
    return OperatingPoint(
        summary=summarize(results),
        recall=clustered_share(found, groups) if matches else None,
        before_fault_in_alarm=sum(q.in_alarm for q in before) / rows if rows else None,
        kinds=by_kind(matches),
        impacts_median_delay_s=median(m.delay_s for m in matches if m.truth.kind == IMPACT),
        visible=_visible(verdicts, reference) if any(v.strengths for v in verdicts) else None,
    )


def _visible(verdicts: Sequence[Verdict], reference: Sequence[RunResult]) -> Visible:
    limits = visibility_limits(graded(reference, verdicts))
    names = [v.name for v in verdicts for _ in v.strengths]
    ours: list[tuple[str, Graded]] = list(
        zip(names, graded([v.result for v in verdicts], verdicts), strict=True)
    )
    seen = [(name, event) for name, event in ours if is_visible(event, limits)]
    found = np.array([event.is_found for _, event in seen], bool)
    return Visible(
        limits=limits,
        recall=clustered_share(found, [name for name, _ in seen]) if seen else None,
        events=len(seen),
        found=int(found.sum()),
        excluded=len(ours) - len(seen),
    )


def steady_rows(verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """Normal watched rows, and how many of them took the FP16 path.

    Those of recordings without events, where a set has any; else those before the first event.
    """
    normal = [v.quiet for v in verdicts if not v.result.truths]
    chosen = normal or [v.quiet for v in verdicts]
    return sum(quiet.rows for quiet in chosen), sum(quiet.routed for quiet in chosen)


def memory(models: Sequence[DetectorModel]) -> Memory:
    """Bytes of network and relation, and their parameters without rounding."""
    return Memory(
        models=len(models),
        packed=sum(model.watch.packed_bytes for model in models),
        numbers=sum(model.watch.numbers for model in models),
    )
