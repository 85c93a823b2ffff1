"""Expectations worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.metrics import average_precision, mean, median, roc_auc, share


def flags(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.bool_)


def test_average_precision_sums_precision_over_recall_steps() -> None:
    # Ranked: 1 0 1 0. Recall rises to 1/2 at precision 1/1, to 1 at precision 2/3.
    labels, scores = flags(0, 1, 0, 1), np.array([0.1, 0.9, 0.7, 0.5])
    assert average_precision(labels, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_average_precision_of_equal_scores_is_the_share_of_anomalous_rows() -> None:
    assert average_precision(flags(0, 1, 0, 0), np.ones(4)) == pytest.approx(0.25)


def test_average_precision_gives_no_credit_for_neighbors_of_a_hit() -> None:
    # One of four anomalous rows on top, the rest at the bottom: point adjustment would say 1.
    labels = flags(1, 1, 1, 1, 0, 0, 0, 0)
    scores = np.array([9.0, 0, 0, 0, 1, 1, 1, 1])
    assert average_precision(labels, scores) == pytest.approx(0.25 * 1 + 0.75 * 4 / 8)


def test_average_precision_without_anomalous_rows_is_undefined() -> None:
    assert average_precision(flags(0, 0), np.array([1.0, 2.0])) is None
    assert average_precision(flags(), np.array([])) is None


def test_roc_auc_is_the_share_of_pairs_in_order_with_ties_counted_half() -> None:
    # Pairs (anomalous, normal): 3 > 1, 3 > 2, 2 > 1, 2 = 2.
    assert roc_auc(flags(1, 1, 0, 0), np.array([3.0, 2, 1, 2])) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize('labels', [flags(0, 0), flags(1, 1), flags()])
def test_roc_auc_of_one_kind_of_rows_is_undefined(labels: np.ndarray) -> None:
    assert roc_auc(labels, np.arange(len(labels), dtype=float)) is None


def test_share_counts_only_the_rows_asked_for() -> None:
    assert share(flags(1, 1, 0, 0), flags(1, 0, 1, 0)) == pytest.approx(0.5)
    assert share(flags(1, 1), flags(0, 0)) is None


def test_mean_and_median_skip_what_is_undefined() -> None:
    assert mean([1.0, None, 3.0]) == pytest.approx(2.0)
    assert median([None, 1.0, 5.0, 2.0]) == pytest.approx(2.0)
    assert mean([None]) is None
    assert median([]) is None
