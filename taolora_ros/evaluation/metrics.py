"""How well scores rank rows, and how long alarms stand over normal ones.

No point adjustment (a hit does not count as its whole interval) and no oracle threshold: what is
ranked is every row by itself, and alarms are judged at the threshold the artifact carries.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from taolora_ros.samples import Bools, Floats


def average_precision(labels: Bools, scores: Floats) -> float | None:
    """Area under the precision-recall steps: sum over n of (R_n - R_(n-1)) · P_n.

    Args:
        labels: [T] whether a row is anomalous.
        scores: [T] the higher, the more anomalous; equal scores share one step.

    Returns:
        0 to 1; a score without information reaches the share of anomalous rows. None where no
        row is anomalous.
    """
    if not labels.any():
        return None
    return float(average_precision_score(labels, scores))


def roc_auc(labels: Bools, scores: Floats) -> float | None:
    """Chance that an anomalous row scores above a normal one, ties counted half.

    Returns:
        0 to 1, or None where one of the two kinds of rows is absent.
    """
    if labels.all() or not labels.any():
        return None
    return float(roc_auc_score(labels, scores))


def share(flags: Bools, among: Bools) -> float | None:
    """Share of the rows in `among` that are flagged; None where there are none."""
    rows = int(np.count_nonzero(among))
    return float(np.count_nonzero(flags & among) / rows) if rows else None


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are defined; None where none is."""
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None


def median(values: Iterable[float | None]) -> float | None:
    """Median of the values that are defined; None where none is."""
    defined = [value for value in values if value is not None]
    return statistics.median(defined) if defined else None
