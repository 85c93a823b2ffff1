"""All runs together, kinds of events, and both as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from taolora_ros.evaluation.events import Detection, Match
from taolora_ros.evaluation.metrics import mean, median
from taolora_ros.evaluation.runs import RunResult


@dataclass(frozen=True, slots=True)
class Summary:
    """All runs together: means of what is a figure a run, pooled counts for the rest."""

    mean_average_precision: float | None
    mean_roc_auc: float | None
    events: int
    events_found: int
    false_alarms: int
    normal_hours: float
    normal_in_alarm: float | None
    median_delay_s: float | None
    fp16_share: float | None

    @property
    def false_alarms_per_hour(self) -> float | None:
        """All false alarms over all normal watched time."""
        return self.false_alarms / self.normal_hours if self.normal_hours else None


def summarize(runs: Sequence[RunResult]) -> Summary:
    """Put the runs together; runs without labels count only for the FP16 share."""
    matches = [m for run in runs if run.matching for m in run.matching.matches]
    hours = sum(run.normal_hours or 0.0 for run in runs)
    alarm_hours = sum((run.normal_in_alarm or 0.0) * (run.normal_hours or 0.0) for run in runs)
    tokens = [int(np.count_nonzero(run.trace.is_watching)) for run in runs]
    routed = [(run.fp16_share or 0.0) * count for run, count in zip(runs, tokens, strict=True)]
    return Summary(
        mean_average_precision=mean(run.average_precision for run in runs),
        mean_roc_auc=mean(run.roc_auc for run in runs),
        events=len(matches),
        events_found=sum(match.is_found for match in matches),
        false_alarms=sum(run.false_alarms or 0 for run in runs),
        normal_hours=hours,
        normal_in_alarm=alarm_hours / hours if hours else None,
        median_delay_s=median(match.delay_s for match in matches),
        fp16_share=sum(routed) / sum(tokens) if sum(tokens) else None,
    )


@dataclass(frozen=True, slots=True)
class KindResult:
    """How events of one kind fared."""

    kind: str
    events: int
    found: int
    median_delay_s: float | None


def by_kind(matches: Sequence[Match]) -> tuple[KindResult, ...]:
    """The true events grouped by kind, in alphabetical order."""
    kinds = sorted({match.truth.kind for match in matches})
    groups = {kind: [m for m in matches if m.truth.kind == kind] for kind in kinds}
    return tuple(
        KindResult(
            kind=kind,
            events=len(group),
            found=sum(match.is_found for match in group),
            median_delay_s=median(match.delay_s for match in group),
        )
        for kind, group in groups.items()
    )


def run_to_mapping(run: RunResult, channels: Sequence[str]) -> dict[str, Any]:
    """One run as plain data; what is undefined is None."""
    matching = run.matching
    return {
        'name': run.name,
        'average_precision': run.average_precision,
        'roc_auc': run.roc_auc,
        'events': run.events,
        'events_found': run.events_found,
        'events_standing': matching and sum(match.is_standing for match in matching.matches),
        'events_unwatched': run.events_unwatched,
        'false_alarms': run.false_alarms,
        'false_alarms_per_hour': run.false_alarms_per_hour,
        'normal_hours': run.normal_hours,
        'normal_in_alarm': run.normal_in_alarm,
        'median_delay_s': run.median_delay_s,
        'fp16_share': run.fp16_share,
        'normal_fp16_share': run.normal_fp16_share,
        'event_fp16_share': run.event_fp16_share,
        'tokens': len(run.trace.first_ns),
        'tokens_watched': int(np.count_nonzero(run.trace.is_watching)),
        'duration_s': run.duration_s,
        'wall_s': run.wall_s,
        'counts': dict(run.counts),
        'truths': [] if matching is None else [_match(match) for match in matching.matches],
        'detections': [_detection(hit, channels) for hit in run.trace.detections],
    }


def summary_to_mapping(summary: Summary) -> dict[str, Any]:
    """The summary as plain data."""
    return {**asdict(summary), 'false_alarms_per_hour': summary.false_alarms_per_hour}


def _match(match: Match) -> dict[str, Any]:
    return {
        **asdict(match.truth),
        'found_by': match.detection and match.detection.id,
        'is_standing': match.is_standing,
        'delay_s': match.delay_s,
    }


def _detection(detection: Detection, channels: Sequence[str]) -> dict[str, Any]:
    order = np.argsort(-detection.contributions, kind='stable')
    return {
        'id': detection.id,
        'onset_ns': detection.onset_ns,
        'peak_ns': detection.peak_ns,
        'end_ns': detection.end_ns,
        'raised_ns': detection.raised_ns,
        'severity': detection.severity,
        'peak_score': detection.peak_score,
        'p_value': detection.p_value,
        'fp16_share': detection.fp16_share,
        'contributions': {channels[c]: float(detection.contributions[c]) for c in order},
    }
