"""All findings as plain data: what `taolora bench accuracy --json` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from taolora_ros.evaluation.accuracy.comparisons import beyond, detection_table, linear_skip_gain
from taolora_ros.evaluation.accuracy.figures import (
    Memory,
    OperatingPoint,
    Retained,
    Visible,
    mean_over,
    memory,
    operating_point,
    retained,
    steady_rows,
    volumes,
)
from taolora_ros.evaluation.accuracy.rounding_document import rounding_to_mapping
from taolora_ros.evaluation.accuracy.study import Findings, SetFindings
from taolora_ros.evaluation.accuracy.verdicts import Verdict
from taolora_ros.evaluation.intervals import Interval, bootstrap_mean
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import summarize
from taolora_ros.samples import Floats

DEFINITIONS = {
    'recall_retained': 'true events found by routed TAO-LoRA over those found by FP32; arm: each '
    'at the threshold at which it finds most with no more false alarms than the one that raised '
    'more at the threshold of the artifact; development sets: both at that of the artifact. '
    'own_thresholds: both at that of the artifact everywhere',
    'vus_pr': 'volume under the precision-recall surface (window 100), mean over series with '
    'events; rows of the warm-up score 0',
    'fp16_share_steady': 'share of watched tokens that took the FP16 path in recordings without '
    'events (arm, rosa), else before the first event',
    'operating_point': 'at the threshold of the artifact; normal_in_alarm: watched rows outside '
    'events and 1 s after them; before_fault_in_alarm: those before the first event of '
    'recordings with events',
    'above_visibility': 'recall among the faults at least as strong as the least strength of '
    'their kind from which on FP32 finds 95 % of the stronger ones; weaker ones are excluded from '
    'this figure alone; both at the threshold of the artifact',
    'normal_recordings': 'false alarms in the recordings without events alone',
    'detection': 'VUS-PR; rosa: every run less the mean of its own first second (our detector '
    'and its parts re-base by themselves); rosa_recorded: as recorded; where test rows go on '
    'from training rows, everyone is led in by the newest of those',
    'range': 'range-based precision, recall and F1 (Tatbul et al. 2018), mean over series',
    'quantization': 'error_steady and error_transient: whitened error of the prediction error '
    "relative to FP32's on RoSA, on rows without and with a labeled event; recall_arm: at no "
    'more false alarms than FP32 raises at the threshold of the artifact, threshold chosen with '
    'the labels for every way alike; retained: over the events that FP32 finds',
}


def findings_to_mapping(findings: Findings) -> dict[str, Any]:
    """Figures under their names; what is undefined is None."""
    sets = findings.sets
    routed = {name: volumes(found.routed) for name, found in sets.items()}
    fp32 = {name: volumes(found.fp32) for name, found in sets.items()}
    return {
        'recall_retained': _retained(sets),
        'vus_pr': {name: _volumes(series) for name, series in routed.items()},
        'vus_pr_fp32': {name: _volumes(series) for name, series in fp32.items()},
        'delta_vus_pr': {
            name: _mean(fp32[name]) - _mean(series) for name, series in routed.items() if series
        },
        'fp16_share_steady': _steady(sets),
        'memory': {name: _memory(memory(found.models)) for name, found in sets.items()},
        'operating_point': {name: _operating(found) for name, found in sets.items()},
        'range': {
            name: ranges for name, found in sets.items() if (ranges := _ranges(found.routed))
        },
        'detection': detection_table(findings),
        'network_over_skip': {
            name: asdict(gain) for name, gain in linear_skip_gain(findings).items()
        },
        'best_baseline': beyond(findings),
        'correction': {name: asdict(gain) for name, gain in findings.correction.items()},
        'quantization': rounding_to_mapping(findings.rounding),
        'skipped': dict(findings.skipped),
        'definitions': DEFINITIONS,
        'seconds_by_phase': {phase: round(spent, 1) for phase, spent in findings.seconds.items()},
    }


def _mean(series: Mapping[str, float]) -> float:
    return sum(series.values()) / len(series)


def _volumes(series: Mapping[str, float]) -> dict[str, Any] | None:
    interval = mean_over(series)
    return {**asdict(interval), 'series': dict(series)} if interval else None


def _retained(sets: Mapping[str, SetFindings]) -> dict[str, Any]:
    """Pooled and by set, and the same at the artifact's thresholds."""
    pairs = {name: (each.moved, each.reference) for name, each in sets.items()}
    own = {
        name: ([v.result for v in each.routed], [v.result for v in each.fp32])
        for name, each in sets.items()
    }
    return {
        **_pooled(pairs),
        'by_set': {name: _retained_figures(retained(*pair)) for name, pair in pairs.items()},
        'own_thresholds': _pooled(own),
    }


def _pooled(
    pairs: Mapping[str, tuple[Sequence[RunResult], Sequence[RunResult]]],
) -> dict[str, Any]:
    routed = [result for pair in pairs.values() for result in pair[0]]
    reference = [result for pair in pairs.values() for result in pair[1]]
    return _retained_figures(retained(routed, reference))


def _retained_figures(figures: Retained) -> dict[str, Any]:
    return {
        **_named(figures.ratio, 'value', 'low', 'high'),
        'found_routed': figures.found_routed,
        'found_fp32': figures.found_fp32,
        'events': figures.events,
        'false_alarms_routed': figures.false_alarms_routed,
        'false_alarms_fp32': figures.false_alarms_fp32,
    }


def _named(interval: Interval | None, mean: str, low: str, high: str) -> dict[str, Any]:
    return {
        mean: interval and interval.mean,
        low: interval and interval.low,
        high: interval and interval.high,
    }


def _steady(sets: Mapping[str, SetFindings]) -> dict[str, float | None]:
    counts = {name: steady_rows(found.routed) for name, found in sets.items()}
    pooled = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0]
    return {
        name: routed / rows if rows else None
        for name, (rows, routed) in {**counts, 'pooled': (pooled[0], pooled[1])}.items()
    }


def _memory(figures: Memory) -> dict[str, Any]:
    fp16, fp32 = 2 * figures.numbers, 4 * figures.numbers
    return {
        'models': figures.models,
        'packed_bytes': figures.packed,
        'fp16_bytes': fp16,
        'fp32_bytes': fp32,
        'packed_over_fp16': figures.packed / fp16,
        'packed_over_fp32': figures.packed / fp32,
    }


def _operating(found: SetFindings) -> dict[str, Any]:
    own = [verdict.result for verdict in found.fp32]
    return {
        **_point(operating_point(found.routed, own)),
        'normal_recordings': _normal([verdict.result for verdict in found.routed]),
        'fp32': _point(operating_point(found.fp32, own)),
    }


def _normal(results: Sequence[RunResult]) -> dict[str, Any] | None:
    """False alarms in the recordings without events; None without such."""
    normal = [result for result in results if not result.truths]
    if not normal:
        return None
    summary = summarize(normal)
    return {
        'false_alarms': summary.false_alarms,
        'normal_hours': summary.normal_hours,
        'false_alarms_per_hour': summary.false_alarms_per_hour,
    }


def _point(point: OperatingPoint) -> dict[str, Any]:
    summary, visible = point.summary, point.visible
    figures: dict[str, Any] = {
        'events': summary.events,
        'events_found': summary.events_found,
        **_named(point.recall, 'recall', 'recall_low', 'recall_high'),
        'false_alarms': summary.false_alarms,
        'normal_hours': summary.normal_hours,
        'false_alarms_per_hour': summary.false_alarms_per_hour,
        'normal_in_alarm': summary.normal_in_alarm,
        'before_fault_in_alarm': point.before_fault_in_alarm,
        'median_delay_s': summary.median_delay_s,
        'fp16_share': summary.fp16_share,
    }
    if visible:
        figures |= {
            'by_kind': {
                kind.kind: {
                    'events': kind.events,
                    'found': kind.found,
                    'median_delay_s': kind.median_delay_s,
                    'visibility_limit': visible.limits[kind.kind],
                }
                for kind in point.kinds
            },
            'impacts_median_delay_s': point.impacts_median_delay_s,
            'above_visibility': _visible(visible),
        }
    return figures


def _visible(visible: Visible) -> dict[str, Any]:
    return {
        **_named(visible.recall, 'recall', 'recall_low', 'recall_high'),
        'events': visible.events,
        'found': visible.found,
        'excluded': visible.excluded,
    }


def _ranges(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    known = [verdict.ranges for verdict in verdicts if verdict.ranges]
    if not known:
        return {}
    columns: dict[str, list[float] | Floats] = {
        name: [getattr(ranges, name) for ranges in known] for name in ('precision', 'recall', 'f1')
    }
    return {name: asdict(bootstrap_mean(column)) for name, column in columns.items()}
