"""The report: one HTML page that holds everything it shows and asks nothing of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation import canvas
from taolora_ros.evaluation.cards import curve_cards, data_uri, fidelity_cards
from taolora_ros.evaluation.event_rows import event_rows
from taolora_ros.evaluation.fidelity import Twins, compare
from taolora_ros.evaluation.figures import run_figure
from taolora_ros.evaluation.phrases import percent, ratio, seconds
from taolora_ros.evaluation.report_tables import (
    fidelity_table,
    kinds_table,
    routing_table,
    runs_table,
)
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import summarize
from taolora_ros.samples import Recording

DEFINITIONS = (
    (
        'Found',
        'A detection overlaps the true event from its onset to its end plus the tolerance. One '
        'detection may find several events. A detection that overlaps none is a false alarm.',
    ),
    (
        'Delay',
        'From the true onset to the end of the token with which the event was reported. Left out '
        'where the alarm already stood (found, standing).',
    ),
    (
        'Score',
        'Combined evidence that a token is not normal, in decades: one more where normal data '
        'show as much ten times more rarely.',
    ),
    (
        'Average precision',
        'Ranks every grid row after the warm-up by its score, without point adjustment.',
    ),
    (
        'Normal in alarm',
        'Share of the normal rows that lie within a detection; normal is what lies outside true '
        'events and the tolerance after them.',
    ),
    (
        'Other thresholds',
        'The scores of this evaluation, joined into events again by the rules of the event '
        'tracker. Shown from the highest threshold down to the one with most false alarms: below '
        'it alarms merge into ones that stand.',
    ),
    (
        'FP32 twin',
        'The same network, calibration and threshold without rounding. Differences of scores are '
        'in decades of probability.',
    ),
)
COLORS = ('ink', 'truth', 'found', 'false', 'fp16', 'signal', 'twin')  # of the pictures


@dataclass(frozen=True, slots=True, eq=False)
class ReportRun:
    """A run and, for its picture, the rows it was made of."""

    result: RunResult
    recording: Recording | None = None
    twin: RunResult | None = None  # the same recording through the FP32 twin


def twins_of(runs: Sequence[ReportRun]) -> list[Twins]:
    """The runs that the FP32 twin ran too."""
    return [Twins(run.result, run.twin) for run in runs if run.twin is not None]


def write_report(
    path: Path,
    runs: Sequence[ReportRun],
    *,
    channels: Sequence[str],
    title: str,
    facts: Mapping[str, str],
    detection: DetectionConfig | None = None,
) -> None:
    """Write the page.

    Args:
        path: where to; replaced if it exists.
        runs: in the order in which they are shown.
        channels: C names.
        title: headline.
        facts: what else the reader needs to know: model, command, versions.
        detection: settings of the event tracker; the curves over other thresholds need them.
    """
    page = render_report(runs, channels=channels, title=title, facts=facts, detection=detection)
    path.write_text(page, encoding='utf-8')


def render_report(
    runs: Sequence[ReportRun],
    *,
    channels: Sequence[str],
    title: str,
    facts: Mapping[str, str],
    detection: DetectionConfig | None = None,
) -> str:
    """The page as text; arguments as for `write_report`."""
    results = [run.result for run in runs]
    twins = twins_of(runs)
    template = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(Path(__file__).with_name('report.html.j2').read_text(encoding='utf-8'))
    return template.render(
        colors={name: getattr(canvas, name.upper()) for name in COLORS},
        title=title,
        subtitle=_subtitle(results),
        tiles=_tiles(results, twins),
        runs_table=runs_table(results),
        kinds_table=kinds_table(results),
        routing_table=routing_table(results),
        is_labeled=any(result.truths is not None for result in results),
        curve_cards=curve_cards(results, twins, detection),
        fidelity=_fidelity(twins),
        runs=[_run_view(run, channels) for run in runs],
        definitions=DEFINITIONS,
        facts=dict(facts),
    )


def _subtitle(results: Sequence[RunResult]) -> str:
    total_s = sum(result.duration_s for result in results)
    noun = 'recording' if len(results) == 1 else 'recordings'
    return f'{len(results)} {noun}, {total_s / 60:.1f} minutes'


def _tiles(results: Sequence[RunResult], twins: Sequence[Twins]) -> list[dict[str, str]]:
    summary = summarize(results)
    tiles = [('tokens on the FP16 path', percent(summary.fp16_share))]
    if any(result.truths is not None for result in results):
        tiles = [
            ('events found', f'{summary.events_found} of {summary.events}'),
            ('false alarms an hour', ratio(summary.false_alarms_per_hour, digits=1)),
            ('mean average precision', ratio(summary.mean_average_precision)),
            ('median delay', seconds(summary.median_delay_s)),
            ('normal time in alarm', percent(summary.normal_in_alarm)),
            *tiles,
        ]
    else:
        detections = sum(len(result.trace.detections) for result in results)
        tiles = [('detections', str(detections)), *tiles]
    if twins:
        correlation = compare(twins).score_correlation
        tiles.append(('correlation of scores with FP32', ratio(correlation)))
    return [{'name': name, 'value': value} for name, value in tiles]


def _fidelity(twins: Sequence[Twins]) -> dict[str, Any] | None:
    if not twins:
        return None
    fidelity = compare(twins)
    found = ''
    if fidelity.events is not None:
        found = (
            f'Of {fidelity.events} true events, both precisions found {fidelity.events_both}, '
            f'4 bits alone {fidelity.events_int4_alone}, FP32 alone {fidelity.events_fp32_alone}. '
        )
    return {
        'told': f'{found}{percent(fidelity.alarm_agreement)} of {fidelity.hops:,} hops are in '
        'alarm at both or at neither.',
        'cards': fidelity_cards(twins, fidelity),
        'table': fidelity_table(twins),
    }


def _run_view(run: ReportRun, channels: Sequence[str]) -> dict[str, Any]:
    result = run.result
    picture = ''
    if len(result.trace.first_ns):
        twin = run.twin.trace if run.twin else None
        picture = data_uri(run_figure(result, run.recording, channels, twin=twin))
    return {
        'name': result.name,
        'picture': picture,
        'alt': _in_words(result),
        'has_truth': result.truths is not None,
        'has_signals': run.recording is not None,
        'has_twin': run.twin is not None and result.truths is not None,
        'events': event_rows(result, channels, twin=run.twin),
        'counts': _told(result.counts),
    }


def _in_words(result: RunResult) -> str:
    shown = f'Signals, score against threshold, and route of {result.name} over time'
    if result.truths is None:
        return f'{shown}: {len(result.trace.detections)} detections.'
    return (
        f'{shown}: {result.events_found} of {result.events} true events found, '
        f'{result.false_alarms} false alarms.'
    )


def _told(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{name.replace("_", " ")} {n:,}' for name, n in counts.items() if n)
