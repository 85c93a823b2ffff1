from __future__ import annotations

from itertools import pairwise
from math import log
from pathlib import Path

import numpy as np
import pytest

from taolora_ros.evaluation.baselines.ridge_autoregression import RidgeAutoregression
from taolora_ros.evaluation.datasets.dev import read_dev
from taolora_ros.evaluation.volumes import vus_pr

SHARED = Path(__file__).parents[4] / 'shared' / 'data' / 'dev'


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_where_the_last_row_tells_nothing_the_score_is_the_rows_own_surprise() -> None:
    # A row and the next: (1, 1), (1, -1), (-1, -1), (-1, 1), equally often. So the coefficient is
    # 0 whatever the ridge, the residual is the row and its variance 1: d² = row².
    scorer = RidgeAutoregression(order=1, window=2)
    scorer.fit([column(1, 1, -1, -1, 1, 1, -1, -1, 1)])
    scores = scorer.scores(column(0, 0, 2, 3))
    np.testing.assert_allclose(scores[2:], [log(5) / 2, (log(5) + log(10)) / 2], rtol=1e-9)
    assert scores[:2] == pytest.approx(log(2))  # of normal rows, all of which have d² = 1


def test_coefficient_is_the_ridge_regressions() -> None:
    # Pairs (2, 1), (-2, -1), (0, 1), (0, -1), each from a segment of its own. In the scale of the
    # normal rows, s² = 12/8: Σx² = 8/s², Σxy = 4/s², so the coefficient is 4/(8 + 4λs²) = 0.4 for
    # λ = 1/3. The residuals in units of 1/s: ±0.2 and ±1, so C = 0.52/s².
    scorer = RidgeAutoregression(order=1, window=1, ridge=1 / 3)
    scorer.fit([column(2, 1), column(-2, -1), column(0, 1), column(0, -1)])
    (_, score) = scorer.scores(column(5, 3))
    assert score == pytest.approx(log(1 + (3 - 0.4 * 5) ** 2 / 0.52))


def test_a_rule_that_was_broken_outweighs_a_large_but_foretold_row() -> None:
    swing = np.sin(np.arange(400) / 3)[:, None]
    scorer = RidgeAutoregression(order=2, window=1, ridge=1e-6)
    scorer.fit([swing + np.random.default_rng(1).normal(0, 1e-3, swing.shape)])
    scores = scorer.scores(np.concatenate((3 * swing[:50], 3 * swing[60:90])))
    assert np.argmax(scores) in (50, 51)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f'{SHARED} is absent')
@pytest.mark.parametrize(('order', 'window', 'reached'), [(10, 32, 0.932), (3, 64, 0.951)])
def test_it_reaches_on_skab_what_was_measured_before(
    order: int, window: int, reached: float
) -> None:
    volumes = []
    for series in read_dev(SHARED, 'skab').labeled:
        scorer = RidgeAutoregression(order=order, window=window)
        (run,) = series.train
        bounds = pairwise((*run.starts, len(run.values)))
        segments = [run.values[start:end] for start, end in bounds]
        scorer.fit([rows[: int(0.8 * len(rows))] for rows in segments])
        volumes.append(vus_pr(series.labels, scorer.scores(series.test.values)))
    assert np.mean(volumes) == pytest.approx(reached, abs=0.01)
