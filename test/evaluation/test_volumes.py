"""VUS-PR against its definition, written out in loops, and by hand; range metrics by hand."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.metrics import average_precision
from taolora_ros.evaluation.volumes import range_scores, vus_pr


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def flags(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.bool_)


def ranges(labels: np.ndarray) -> list[tuple[int, int]]:
    """First and last row of each range."""
    found: list[tuple[int, int]] = []
    for row in np.flatnonzero(labels).tolist():
        if found and found[-1][1] == row - 1:
            found[-1] = (found[-1][0], row)
        else:
            found.append((row, row))
    return found


def slow_area(labels: np.ndarray, scores: np.ndarray, buffer: int) -> float:
    """The area at one buffer, row by row."""
    rows, reach = len(labels), buffer // 2
    weight = labels.astype(float)
    covered = labels.copy()
    for first, last in ranges(labels):
        for row in range(max(first - reach, 0), min(last + reach + 1, rows)):
            covered[row] = True
            away = max(first - row, row - last)
            if away > 0:
                weight[row] += math.sqrt(1 - away / buffer)
    weight = np.minimum(weight, 1)
    area = recall_before = 0.0
    ranked = sorted(scores.tolist(), reverse=True)
    for place in np.linspace(0, rows - 1, 250).astype(int):
        alarm = scores >= ranked[place]
        true = float(weight[alarm].sum())
        ramp = float(weight[alarm & ~labels].sum())
        islands = ranges(covered)
        seen = sum(bool(alarm[first : last + 1].any()) for first, last in islands) / len(islands)
        recall = min(true / (labels.sum() + ramp / 2), 1) * seen
        area += (recall - recall_before) * true / alarm.sum()
        recall_before = recall
    return area


def slow_vus_pr(labels: np.ndarray, scores: np.ndarray, window: int) -> float:
    return float(np.mean([slow_area(labels, scores, buffer) for buffer in range(window + 1)]))


@pytest.mark.parametrize('rows', [7, 60, 301])
def test_vus_pr_is_its_definition(rows: int, rng: np.random.Generator) -> None:
    labels = np.zeros(rows, np.bool_)
    labels[rows // 3 : rows // 2] = True
    labels[-2:] = True
    labels[0] = True
    scores = np.round(rng.normal(size=rows) + labels, 1)  # with ties
    assert vus_pr(labels, scores, window=20) == pytest.approx(slow_vus_pr(labels, scores, 20))


def test_without_buffer_and_with_one_range_vus_pr_is_average_precision() -> None:
    labels, scores = flags(0, 0, 1, 1, 0), np.array([0.1, 0.8, 0.9, 0.7, 0.2])
    assert vus_pr(labels, scores, window=0) == average_precision(labels, scores)


def test_recall_counts_the_ranges_found() -> None:
    # Ranked: rows 0 and 1 of the first range, row 4 of the second, then the rest. Recall steps to
    # 1/3 · 1/2, 2/3 · 1/2 and 3/3 · 2/2, all at precision 1.
    labels, scores = flags(1, 1, 0, 0, 1), np.array([5.0, 4, 1, 2, 3])
    assert vus_pr(labels, scores, window=0) == pytest.approx(1.0)
    # Row 3, normal, ranks before row 4: the last half is won at precision 3/4.
    swapped = np.array([5.0, 4, 1, 3, 2])
    assert vus_pr(labels, swapped, window=0) == pytest.approx(1 / 3 + 2 / 3 * 3 / 4)


def test_hit_beside_a_range_is_worth_its_ramp() -> None:
    # Buffer 2 puts √½ on either neighbor of row 2. Row 1 ranks first, row 2 second, row 3 third.
    labels, scores = flags(0, 0, 1, 0, 0, 0), np.array([0.0, 5, 4, 3, 0, 0])
    half = math.sqrt(0.5)
    first = half / (1 + half / 2)
    ramped = first * half + (1 - first) * (1 + half) / 2
    without = 1 / 2  # buffers 0 and 1 have no ramp
    assert vus_pr(labels, scores, window=2) == pytest.approx((without * 2 + ramped) / 3)


def test_constant_scores_reach_the_share_of_anomalous_rows_and_their_ramps() -> None:
    labels = np.zeros(1000, np.bool_)
    labels[400:600] = True
    assert 0.2 < vus_pr(labels, np.zeros(1000)) < 0.3


def test_vus_pr_lies_near_that_of_aeon(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip('aeon.benchmarking.metrics.anomaly_detection')
    labels = np.zeros(400, np.bool_)
    labels[80:140] = labels[300:330] = True
    scores = rng.normal(size=400) + 1.5 * labels
    theirs = metrics.range_pr_vus_score(labels.astype(int), scores, max_buffer_size=20)
    assert vus_pr(labels, scores, window=20) == pytest.approx(theirs, abs=0.04)


@pytest.mark.parametrize(
    ('labels', 'scores'), [(flags(0, 0), np.ones(2)), (flags(0, 1), np.array([0.0, np.nan]))]
)
def test_vus_pr_refuses_what_has_none(labels: np.ndarray, scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match='finite scores'):
        vus_pr(labels, scores)


def test_range_recall_rewards_finding_and_covering_in_halves() -> None:
    pytest.importorskip('aeon')
    # The first of two ranges is half covered: recall (½ + ½ · ½) / 2. One alarm of three rows has
    # two on the range: precision 2/3.
    scores = range_scores(flags(0, 1, 1, 1, 1, 0, 0, 1), flags(1, 1, 1, 0, 0, 0, 0, 0))
    assert scores.recall == pytest.approx(0.75 / 2)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(2 * 0.375 * (2 / 3) / (0.375 + 2 / 3))


def test_silence_scores_zero() -> None:
    pytest.importorskip('aeon')
    assert range_scores(flags(0, 1), flags(0, 0)).f1 == 0.0


def test_range_metrics_without_aeon_say_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, 'aeon.benchmarking.metrics', None)
    with pytest.raises(TaoloraError, match=r"pip install 'taolora_ros\[bench\]'"):
        range_scores(flags(0, 1), flags(0, 1))
