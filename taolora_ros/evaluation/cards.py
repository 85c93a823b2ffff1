"""The report's pictures of all runs together, each with a title, words for it and a caption."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.curve_figures import (
    Point,
    delay_figure,
    operating_figure,
    precision_recall_figure,
    threshold_figure,
)
from taolora_ros.evaluation.curves import DelayCurve, delay_curve, precision_recall
from taolora_ros.evaluation.fidelity import Fidelity, Twins, score_pairs
from taolora_ros.evaluation.fidelity_figures import difference_figure, scatter_figure
from taolora_ros.evaluation.operating import operating_curve
from taolora_ros.evaluation.phrases import percent, ratio, seconds
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.summary import summarize
from taolora_ros.samples import NS_PER_S


@dataclass(frozen=True, slots=True)
class Card:
    """A picture on the page."""

    title: str
    picture: str  # data URI
    alt: str  # what the picture shows, in words
    caption: str


def data_uri(document: str) -> str:
    """An SVG document as an image source that holds it."""
    return 'data:image/svg+xml;base64,' + base64.b64encode(document.encode()).decode()


def curve_cards(
    runs: Sequence[RunResult], twins: Sequence[Twins], detection: DetectionConfig | None
) -> list[Card]:
    """Ranking, delay and thresholds; only those that the labels allow.

    Args:
        runs: all runs.
        twins: those that the FP32 twin ran too.
        detection: settings of the event tracker, without which no other threshold is judged.
    """
    matches = [m for run in runs if run.matching for m in run.matching.matches]
    cards = _ranking_cards(runs, twins)
    delays = delay_curve(matches)
    if delays is not None:
        cards.append(_delay_card(delays, token_s=max(_token_s(run) for run in runs)))
    return cards if detection is None else [*cards, *_threshold_cards(runs, detection)]


def _ranking_cards(runs: Sequence[RunResult], twins: Sequence[Twins]) -> list[Card]:
    pooled = precision_recall(runs)
    if pooled is None:
        return []
    single = [curve for run in runs if (curve := precision_recall([run])) is not None]
    is_whole = len(twins) == len(runs)
    twin = precision_recall([pair.fp32 for pair in twins]) if is_whole else None
    precision = percent(pooled.threshold_precision)
    recall = percent(pooled.threshold_recall)
    told = f'average precision {ratio(pooled.area)}, chance {ratio(pooled.chance)}'
    return [
        Card(
            'Precision and recall of rows',
            data_uri(precision_recall_figure(pooled, single, twin)),
            f'Precision against recall: {told}; at the threshold precision {precision} '
            f'at recall {recall}.',
            f'Every grid row by itself, the rows of all runs ranked by score: {told}. '
            f'At the threshold: precision {precision}, recall {recall}.',
        )
    ]


def _token_s(run: RunResult) -> float:
    return run.trace.patch * run.trace.period_ns / NS_PER_S


def _delay_card(delays: DelayCurve, *, token_s: float) -> Card:
    within = ', '.join(
        f'{percent(delays.share_within(limit))} within {seconds(limit)}' for limit in (0.1, 0.3, 1)
    )
    apart = f'{delays.standing} found by an alarm that already stood, {delays.missed} missed'
    return Card(
        'Delay',
        data_uri(delay_figure(delays, token_s)),
        f'Share of the {delays.events} true events reported within a time: {within}; {apart}.',
        f'True events reported within a time of their onset: {within}. Of {delays.events}, '
        f'{apart}; these never count as reported.',
    )


def _threshold_cards(runs: Sequence[RunResult], detection: DetectionConfig) -> list[Card]:
    curve = operating_curve(runs, detection)
    if curve is None:
        return []
    summary = summarize(runs)
    matches = [m for run in runs if run.matching for m in run.matching.matches]
    thresholds = [float(run.trace.thresholds[-1]) for run in runs if len(run.trace.thresholds)]
    point = Point(
        threshold=thresholds[0],
        false_alarms_per_hour=summary.false_alarms_per_hour or 0.0,
        asked_per_hour=detection.false_alarms_per_hour,
        fresh=sum(m.delay_s is not None for m in matches) / len(matches),
    )
    standing = sum(m.is_standing for m in matches)
    here = (
        f'{summary.events_found} of {summary.events} events, {standing} of them by standing '
        f'alarms, at {point.false_alarms_per_hour:.1f} false alarms an hour'
    )
    return [
        Card(
            'Events found against false alarms',
            data_uri(operating_figure(curve, point)),
            f'Share of events found against false alarms an hour; at the threshold {here}.',
            f'The same scores under other thresholds. At the threshold carried: {here}. One '
            f'false alarm in all would be {1 / curve.normal_hours:.1f} an hour.',
        ),
        Card(
            'The choice of the threshold',
            data_uri(threshold_figure(curve, point)),
            'Share of events found, and of normal rows in alarm, against the threshold; the '
            f'artifact carries {point.threshold:.2f}.',
            'A low threshold covers events by alarms that already stand, which finds nothing; '
            'then normal rows lie in alarm. The threshold comes from normal data alone.',
        ),
    ]


def fidelity_cards(twins: Sequence[Twins], fidelity: Fidelity) -> list[Card]:
    """Scores of both precisions; none where no hop was scored."""
    if not fidelity.hops:
        return []
    pairs = score_pairs(twins)
    correlation, within = (
        ratio(fidelity.score_correlation),
        ratio(fidelity.p95_difference, digits=2),
    )
    threshold = float(twins[0].int4.trace.thresholds[-1])
    return [
        Card(
            'Scores, hop by hop',
            data_uri(scatter_figure(pairs, threshold)),
            f'Score at 4 bits against score of the FP32 twin: correlation {correlation}; '
            f'{fidelity.alarms_int4_alone} hops in alarm at 4 bits alone, '
            f'{fidelity.alarms_fp32_alone} at FP32 alone.',
            f'Each dot is one hop; on the diagonal both precisions agree (correlation '
            f'{correlation}). Dashed: the threshold, the same for both.',
        ),
        Card(
            'How far they differ',
            data_uri(difference_figure(pairs)),
            f'Share of the hops against the difference of their two scores: 95 % within {within} '
            'decades.',
            f'95 % of the hops differ by at most {within} decades of probability, the worst by '
            f'{ratio(fidelity.largest_difference, digits=2)}.',
        ),
    ]
