"""The report: one HTML page that holds everything it shows and asks nothing of the network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from taolora_ros.evaluation.events import Detection, Match
from taolora_ros.evaluation.figures import run_figure
from taolora_ros.evaluation.phrases import count, percent, ratio, seconds
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import by_kind, summarize
from taolora_ros.samples import NS_PER_S, Recording

DEFINITIONS = (
    'A true event counts as found if a detection overlaps it from its onset to its end plus the '
    'tolerance; a detection that overlaps none is a false alarm; one detection may find several '
    'events. The delay runs from the true onset to the end of the token with which the event was '
    'reported; it is left out where the alarm already stood (found, standing). Average precision '
    'ranks every grid row after the warm-up by its score, without point adjustment. Normal in '
    'alarm is the share of normal rows that lie within a detection.'
)
RUN_COLUMNS = (
    'run',
    'events',
    'found',
    'false alarms an hour',
    'normal in alarm',
    'average precision',
    'ROC AUC',
    'median delay',
    'FP16 path',
    'length',
)


@dataclass(frozen=True, slots=True, eq=False)
class ReportRun:
    """A run and, for its picture, the rows it was made of."""

    result: RunResult
    recording: Recording | None = None


def write_report(
    path: Path,
    runs: Sequence[ReportRun],
    *,
    channels: Sequence[str],
    title: str,
    facts: Mapping[str, str],
) -> None:
    """Write the page.

    Args:
        path: where to; replaced if it exists.
        runs: in the order in which they are shown.
        channels: C names.
        title: headline.
        facts: what else the reader needs to know: model, command, versions.
    """
    path.write_text(
        render_report(runs, channels=channels, title=title, facts=facts), encoding='utf-8'
    )


def render_report(
    runs: Sequence[ReportRun], *, channels: Sequence[str], title: str, facts: Mapping[str, str]
) -> str:
    """The page as text; arguments as for `write_report`."""
    results = [run.result for run in runs]
    template = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(Path(__file__).with_name('report.html.j2').read_text(encoding='utf-8'))
    matches = [m for result in results if result.matching for m in result.matching.matches]
    kinds = by_kind(matches)
    return template.render(
        title=title,
        subtitle=_subtitle(results),
        tiles=_tiles(results),
        run_columns=RUN_COLUMNS,
        run_rows=[_run_row(result) for result in results],
        kind_rows=[
            (kind.kind, kind.events, kind.found, seconds(kind.median_delay_s))
            for kind in (kinds if len(kinds) > 1 else ())
        ],
        runs=[_run_view(run, channels) for run in runs],
        definitions=DEFINITIONS,
        facts=dict(facts),
    )


def _subtitle(results: Sequence[RunResult]) -> str:
    total_s = sum(result.duration_s for result in results)
    noun = 'recording' if len(results) == 1 else 'recordings'
    return f'{len(results)} {noun}, {total_s / 60:.1f} minutes'


def _tiles(results: Sequence[RunResult]) -> list[dict[str, str]]:
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
    return [{'name': name, 'value': value} for name, value in tiles]


def _run_row(result: RunResult) -> tuple[str, ...]:
    return (
        result.name,
        count(result.events),
        count(result.events_found),
        ratio(result.false_alarms_per_hour, digits=1),
        percent(result.normal_in_alarm),
        ratio(result.average_precision),
        ratio(result.roc_auc),
        seconds(result.median_delay_s),
        percent(result.fp16_share),
        seconds(result.duration_s),
    )


def _run_view(run: ReportRun, channels: Sequence[str]) -> dict[str, Any]:
    result = run.result
    picture = ''
    if len(result.trace.first_ns):
        svg = run_figure(result, run.recording, channels).encode()
        picture = 'data:image/svg+xml;base64,' + base64.b64encode(svg).decode()
    return {
        'name': result.name,
        'picture': picture,
        'has_truth': result.truths is not None,
        'events': _events(result, channels),
        'counts': _told(result.counts),
    }


def _told(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{name.replace("_", " ")} {n:,}' for name, n in counts.items() if n)


def _events(result: RunResult, channels: Sequence[str]) -> list[dict[str, Any]]:
    """True events and unmatched detections in order of time."""
    zero_ns = result.zero_ns
    rows: list[tuple[int, dict[str, Any]]] = []
    if result.matching is None:
        detections: Sequence[Detection] = result.trace.detections
        verdict = 'detected'
    else:
        detections, verdict = result.matching.false_alarms, 'false alarm'
        for match in result.matching.matches:
            row = _row(match.truth.kind, match.truth.onset_ns, _verdict(match), zero_ns)
            row['delay'] = seconds(match.delay_s)
            rows.append((match.truth.onset_ns, row | _alarm(match.detection, channels, zero_ns)))
    for hit in detections:
        row = _row('', None, verdict, zero_ns)
        rows.append((hit.onset_ns, row | _alarm(hit, channels, zero_ns)))
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def _verdict(match: Match) -> str:
    if not match.is_found:
        return 'missed'
    return 'found, standing' if match.is_standing else 'found'


def _row(kind: str, onset_ns: int | None, verdict: str, zero_ns: int) -> dict[str, Any]:
    onset = '' if onset_ns is None else _clock(onset_ns, zero_ns)
    return {'kind': kind, 'onset': onset, 'verdict': verdict, 'delay': ''}


def _alarm(hit: Detection | None, channels: Sequence[str], zero_ns: int) -> dict[str, Any]:
    if hit is None:
        return {'alarm': '', 'peak': '', 'parts': []}
    order = np.argsort(-hit.contributions, kind='stable')[:3]
    shares = [(channels[c], round(100 * float(hit.contributions[c]))) for c in order]
    return {
        'alarm': f'{_clock(hit.onset_ns, zero_ns)} – {_clock(hit.end_ns, zero_ns)}',
        'peak': f'{hit.peak_score:.1f}',
        'parts': [{'channel': name, 'percent': share} for name, share in shares if share],
    }


def _clock(stamp_ns: int, zero_ns: int) -> str:
    return f'{(stamp_ns - zero_ns) / NS_PER_S:.2f} s'
