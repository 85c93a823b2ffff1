"""The report's tables over all runs, as text ready to be laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.fidelity import Fidelity, Twins, compare
from taolora_ros.evaluation.phrases import count, percent, ratio, seconds
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import by_kind, summarize


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Cells of text; the first of each row names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()  # below the rows; empty where one row is all
    groups: tuple[tuple[str, int], ...] = ()  # names over several columns each, after the first


def runs_table(results: Sequence[RunResult]) -> ReportTable:
    """How each run fared; where none has labels, only what needs none."""
    if all(result.truths is None for result in results):
        return ReportTable(
            ('run', 'detections', 'length'),
            tuple(
                (
                    result.name,
                    count(len(result.trace.detections)),
                    seconds(result.duration_s),
                )
                for result in results
            ),
        )
    rows = [
        (
            result.name,
            count(result.events),
            count(result.events_found),
            ratio(result.false_alarms_per_hour, digits=1),
            percent(result.normal_in_alarm),
            ratio(result.average_precision),
            ratio(result.roc_auc),
            seconds(result.median_delay_s),
            seconds(result.duration_s),
        )
        for result in results
    ]
    summary = summarize(results)
    total = (
        'all',
        count(summary.events),
        count(summary.events_found),
        ratio(summary.false_alarms_per_hour, digits=1),
        percent(summary.normal_in_alarm),
        ratio(summary.mean_average_precision),
        ratio(summary.mean_roc_auc),
        seconds(summary.median_delay_s),
        seconds(sum(result.duration_s for result in results)),
    )
    columns = (
        'run',
        'events',
        'found',
        'false alarms an hour',
        'normal in alarm',
        'average precision',
        'ROC AUC',
        'median delay',
        'length',
    )
    return ReportTable(columns, tuple(rows), total if len(rows) > 1 else ())


def kinds_table(results: Sequence[RunResult]) -> ReportTable | None:
    """How each kind of event fared; None where there is one kind at most."""
    kinds = by_kind([m for result in results if result.matching for m in result.matching.matches])
    if len(kinds) < 2:
        return None
    rows = [
        (kind.kind, count(kind.events), count(kind.found), seconds(kind.median_delay_s))
        for kind in kinds
    ]
    return ReportTable(('kind', 'events', 'found', 'median delay'), tuple(rows))


@dataclass(frozen=True, slots=True)
class RoutedRow:
    """Shares of the tokens on the FP16 path, each as (text, percent of the bar)."""

    name: str
    tokens: str
    shares: tuple[tuple[str, float], ...]


def routing_table(results: Sequence[RunResult]) -> list[RoutedRow]:
    """Routed share a run: of all watched tokens, of normal rows, of rows of true events.

    The latter two are left out where no run has labels.
    """
    is_labeled = any(result.truths is not None for result in results)
    return [
        RoutedRow(
            result.name,
            count(int(np.count_nonzero(result.trace.is_watching))),
            tuple(
                (percent(share), 100 * (share or 0.0))
                for share in (
                    (result.fp16_share, result.normal_fp16_share, result.event_fp16_share)
                    if is_labeled
                    else (result.fp16_share,)
                )
            ),
        )
        for result in results
    ]


def fidelity_table(twins: Sequence[Twins]) -> ReportTable:
    """4 bits against FP32, run by run."""
    rows = [_fidelity_row(pair.int4.name, compare([pair])) for pair in twins]
    columns = (
        'run',
        *2 * ('both', '4 bits alone', 'FP32 alone'),
        'correlation',
        '95 % within',
        'largest',
    )
    groups = (('true events found by', 3), ('hops in alarm at', 3), ('difference of scores', 3))
    total = _fidelity_row('all', compare(twins)) if len(rows) > 1 else ()
    return ReportTable(columns, tuple(rows), total, groups)


def _fidelity_row(name: str, fidelity: Fidelity) -> tuple[str, ...]:
    return (
        name,
        count(fidelity.events_both),
        count(fidelity.events_int4_alone),
        count(fidelity.events_fp32_alone),
        count(fidelity.alarms_both),
        count(fidelity.alarms_int4_alone),
        count(fidelity.alarms_fp32_alone),
        ratio(fidelity.score_correlation),
        ratio(fidelity.p95_difference, digits=2),
        ratio(fidelity.largest_difference, digits=2),
    )
