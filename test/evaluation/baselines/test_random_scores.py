from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.baselines.random_scores import RandomScores


def scores(rows: np.ndarray, *, seed: int) -> np.ndarray:
    scorer = RandomScores(seed=seed)
    scorer.fit([rows])
    return scorer.scores(rows)


def test_scores_are_uniform() -> None:
    drawn = scores(np.zeros((40_000, 1)), seed=1)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert drawn.mean() == pytest.approx(1 / 2, abs=0.01)  # 7 standard errors
    assert drawn.var() == pytest.approx(1 / 12, abs=0.005)


def test_another_seed_and_another_recording_draw_others() -> None:
    rows = np.zeros((50, 2))
    assert (scores(rows, seed=1) != scores(rows, seed=2)).all()
    assert (scores(rows, seed=1) != scores(rows + 1, seed=1)).all()
