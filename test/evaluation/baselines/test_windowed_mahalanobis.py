from __future__ import annotations

from math import log

import numpy as np
import pytest

from taolora_ros.evaluation.baselines.windowed_mahalanobis import WindowedMahalanobis


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_score_is_the_distance_in_mean_and_log_variances() -> None:
    # Mean 0 and deviation 1 in four segments of two rows. Means 1, 0, -1, 0; variances 0, 1, 0, 1;
    # one difference, so a difference variance of 0. With floor 1, log variances 0, log 2, 0,
    # log 2. Nothing covaries; variances ½, (log 2)²/4 and 0 are shrunk by a tenth.
    scorer = WindowedMahalanobis(window=2, floor=1.0, shrinkage=0.1)
    scorer.fit([column(1, 1), column(1, -1), column(-1, -1), column(-1, 1)])
    half = log(2) / 2
    shift = 0.1 * (0.5 + half**2) / 3
    level, spread = 0.9 * 0.5 + shift, 0.9 * half**2 + shift
    scores = scorer.scores(column(3, 3, -5))
    assert scores[1] == pytest.approx(9 / level + half**2 / spread)
    assert scores[2] == pytest.approx(1 / level + (log(16 + 1) - half) ** 2 / spread)


def test_roughness_alone_shows() -> None:
    # Rows in another order within the window leave its mean and variance as they were.
    swing = np.sin(np.arange(400) / 3)[:, None]
    scorer = WindowedMahalanobis(window=8)
    scorer.fit([swing])
    shuffled = swing[:8][[0, 4, 1, 5, 2, 6, 3, 7]]
    assert scorer.scores(shuffled)[7] > 10 * scorer.scores(swing)[7:].max()
