"""Measures over ranges: what a hit near an anomalous range is worth.

T rows, B buffer, W largest buffer, K thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.errors import TaoloraError
from taolora_ros.samples import Bools, Floats, Ints

THRESHOLDS = 250  # K
INSTALL = "pip install 'taolora_ros[bench]', or make setup in a checkout"


@dataclass(frozen=True, slots=True)
class RangeScores:
    """How well alarms cover anomalous ranges."""

    precision: float
    recall: float
    f1: float


def vus_pr(labels: Bools, scores: Floats, *, window: int = 100) -> float:
    """Volume under the precision-recall surface, over thresholds and buffers around the ranges.

    For every buffer B from 0 to W, each anomalous range gets a ramp √(1 − d/B) on rows up to
    ⌊B/2⌋ before and after it (d rows away; ramps add up to 1 at most). With P anomalous rows and
    N rows in alarm, of which n anomalous and r worth of ramp, the precision is (n + r)/N and the
    recall (n + r)/(P + r/2), at most 1, times the share of ranges with a row in alarm; ranges
    whose ramps touch count as one. The area is the sum of precision times growth of the recall
    over 250 thresholds that lie evenly among the sorted scores; the volume is its mean over B.

    This is VUS-PR as TSB-AD computes it (version 'opt'; Paparrizos et al. 2022, Liu and Paparrizos
    2024). aeon's `range_pr_vus_score` takes trapezoids and counts the whole ramp in the recall,
    which comes out up to some hundredths lower.

    Args:
        labels: `[T]` whether a row is anomalous; one at least.
        scores: `[T]` the higher, the more anomalous; finite.
        window: W, in rows.

    Returns:
        0 to about 1. A score without information reaches about the share of anomalous rows, and
        more where ramps are wide.
    """
    if not labels.any() or not np.isfinite(scores).all():
        raise ValueError('needed: an anomalous row, and finite scores')
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    thresholds = ranked[np.linspace(0, len(ranked) - 1, THRESHOLDS).astype(np.int64)]
    alarms = np.searchsorted(-ranked, -thresholds, side='right')  # [K] N
    hits = _above(labels, order, alarms)
    starts, ends = _ranges(labels)
    areas = []
    for buffer in range(window + 1):
        ramp = _ramp(starts, ends, buffer, len(labels))
        ramp[labels] = 0.0
        worth = _above(ramp, order, alarms)
        tops = _tops(starts, ends, buffer // 2, scores)
        found = (tops[:, None] >= thresholds).mean(axis=0)
        recall = np.minimum((hits + worth) / (labels.sum() + worth / 2), 1.0) * found
        areas.append(float(np.diff(recall, prepend=0.0) @ ((hits + worth) / alarms)))
    return float(np.mean(areas))


def range_scores(labels: Bools, alarms: Bools) -> RangeScores:
    """Range-based precision, recall and F1 (Tatbul et al. 2018), by aeon.

    Every range counts the same, however long; a range cut into pieces counts a piece's part. Half
    of a true range's recall is for being found at all, half for the rows found.

    Args:
        labels: `[T]` whether a row is anomalous; one at least.
        alarms: `[T]` whether a row is in alarm; with none, all three are 0.

    Raises:
        TaoloraError: aeon is not installed.
    """
    try:
        from aeon.benchmarking.metrics import anomaly_detection  # type: ignore[import-untyped]
    except ImportError as error:
        raise TaoloraError(f'range metrics need aeon ({error}): {INSTALL}') from None
    if not labels.any():
        raise ValueError('needed: an anomalous row')
    if not alarms.any():
        return RangeScores(precision=0.0, recall=0.0, f1=0.0)
    truth, raised = labels.astype(np.int64), alarms.astype(np.int64)
    precision = float(anomaly_detection.range_precision(truth, raised, alpha=0.0))
    recall = float(anomaly_detection.range_recall(truth, raised, alpha=0.5))
    total = precision + recall
    return RangeScores(precision, recall, 2 * precision * recall / total if total else 0.0)


def _above(values: Bools | Floats, order: Ints, alarms: Ints) -> Floats:
    """`[K]` sum of the values of the rows in alarm."""
    sums = np.cumsum(values[order], dtype=np.float64)
    return sums[alarms - 1]


def _ranges(labels: Bools) -> tuple[Ints, Ints]:
    """First row of each run of flagged rows, and the row after it."""
    edges = np.flatnonzero(np.diff(labels, prepend=False, append=False))
    return edges[::2], edges[1::2]


def _ramp(starts: Ints, ends: Ints, buffer: int, rows: int) -> Floats:
    """`[T]` what the ramps around the ranges say, 0 to 1."""
    ramp = np.zeros(rows)
    distance = np.arange(1, buffer // 2 + 1)
    slope = np.sqrt(1.0 - distance / max(buffer, 1))
    for start, end in zip(starts, ends, strict=True):
        before, after = min(start, len(slope)), min(rows - end, len(slope))
        ramp[start - before : start] += slope[:before][::-1]
        ramp[end : end + after] += slope[:after]
    return np.minimum(ramp, 1.0)


def _tops(starts: Ints, ends: Ints, reach: int, scores: Floats) -> Floats:
    """The largest score in each range with its ramps; ranges that touch are one."""
    apart = starts[1:] - reach > ends[:-1] + reach - 1
    first = np.maximum(starts[np.append(True, apart)] - reach, 0)
    after = np.minimum(ends[np.append(apart, True)] + reach, len(scores))
    bounds = np.stack((first, after), axis=1).ravel()
    tops: Floats = np.maximum.reduceat(np.append(scores, -np.inf), bounds)[::2]
    return tops
