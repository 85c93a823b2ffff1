"""Run results as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from taolora_ros.evaluation.fidelity import Twins, compare
from taolora_ros.evaluation.phrases import count, percent, ratio, seconds
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import KindResult, by_kind, summarize
from taolora_ros.samples import NS_PER_S

LOSSES = ('unreadable', 'type_changes', 'dropped', 'stray', 'non_finite', 'restarts')


def print_results(console: Console, results: Sequence[RunResult], channels: Sequence[str]) -> None:
    """One line a run, one a kind of event, and the events of runs without labels."""
    labeled = [result for result in results if result.truths is not None]
    if labeled:
        console.print(_runs_table(labeled))
    kinds = by_kind([m for result in labeled if result.matching for m in result.matching.matches])
    if len(kinds) > 1:
        console.print(kinds_table(kinds))
    for result in results:
        if result.truths is None:
            _print_unlabeled(console, result, channels)
        if not result.trace.is_watching.any():
            console.print(
                f'{result.name}: {seconds(result.duration_s)} of rows, over before the warm-up '
                'was: nothing was scored',
                style='yellow',
                highlight=False,
                markup=False,
            )
        if skipped := {name: n for name, n in result.counts.items() if n and name in LOSSES}:
            listed = ', '.join(f'{n:,} {name}' for name, n in skipped.items())
            console.print(
                f'{result.name}: {listed}', style='yellow', highlight=False, markup=False
            )


def print_fidelity(console: Console, twins: Sequence[Twins]) -> None:
    """In a line, what 4 bits changed; nothing where the FP32 twin didn't run."""
    if not twins:
        return
    fidelity = compare(twins)
    found = ''
    if fidelity.events is not None:
        found = (
            f'{count(fidelity.events_both)} of {count(fidelity.events)} events found by both, '
            f'{count(fidelity.events_int4_alone)} by 4 bits alone, '
            f'{count(fidelity.events_fp32_alone)} by FP32 alone; '
        )
    console.print(
        f'4 bits against FP32: {found}{percent(fidelity.alarm_agreement)} of hops agree on the '
        f'alarm; correlation of scores {ratio(fidelity.score_correlation)}, 95 % within '
        f'{ratio(fidelity.p95_difference, digits=2)} decades',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def kinds_table(kinds: Sequence[KindResult]) -> Table:
    """How each kind of event fared."""
    table = _table('kind', 'events', 'found', 'median delay')
    for kind in kinds:
        table.add_row(
            kind.kind, count(kind.events), count(kind.found), seconds(kind.median_delay_s)
        )
    return table


def _table(*columns: str) -> Table:
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify='right' if number else 'left', overflow='fold')
    return table


def _runs_table(results: Sequence[RunResult]) -> Table:
    table = _table(
        'run',
        'events\nfound',
        'false\nalarms/h',
        'normal\nin alarm',
        'average\nprecision',
        'median\ndelay',
        'FP16\npath',
    )
    for result in results:
        table.add_row(
            escape(result.name),
            f'{count(result.events_found)} of {count(result.events)}',
            ratio(result.false_alarms_per_hour, digits=1),
            percent(result.normal_in_alarm),
            ratio(result.average_precision),
            seconds(result.median_delay_s),
            percent(result.fp16_share),
        )
    if len(results) > 1:
        total = summarize(results)
        table.add_section()
        table.add_row(
            'all',
            f'{count(total.events_found)} of {count(total.events)}',
            ratio(total.false_alarms_per_hour, digits=1),
            percent(total.normal_in_alarm),
            ratio(total.mean_average_precision),
            seconds(total.median_delay_s),
            percent(total.fp16_share),
        )
    return table


def _print_unlabeled(console: Console, result: RunResult, channels: Sequence[str]) -> None:
    detections = result.trace.detections
    noun = 'event' if len(detections) == 1 else 'events'
    console.print(
        f'{result.name}: no labels; {len(detections)} {noun} in {seconds(result.duration_s)}, '
        f'{percent(result.fp16_share)} of tokens on the FP16 path',
        highlight=False,
        markup=False,
    )
    if not detections:
        return
    table = _table('onset', 'peak', 'end', 'severity', 'peak score', 'channel')
    for hit in detections:
        instants = (hit.onset_ns, hit.peak_ns, hit.end_ns)
        table.add_row(
            *(f'{(instant - result.zero_ns) / NS_PER_S:.2f} s' for instant in instants),
            str(hit.severity),
            f'{hit.peak_score:.1f}',
            escape(channels[int(hit.contributions.argmax())]),
        )
    console.print(table)
