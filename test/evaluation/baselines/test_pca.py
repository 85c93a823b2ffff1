from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.baselines.pca import Pca


@pytest.fixture
def cross() -> np.ndarray:
    """Variance 1 in both channels, 1.8 along their sum and 0.2 along their difference."""
    along, across = np.sqrt(3.6) * np.array([1, 1]), np.sqrt(0.4) * np.array([1, -1])
    return np.array([along, -along, across, -across]) / np.sqrt(2)


def test_score_adds_the_distance_in_the_plane_and_the_error_off_it(cross: np.ndarray) -> None:
    # One axis carries 90 %. (2, 0) has coordinates √2 along and √2 across.
    scorer = Pca(window=1, explained=0.85)
    scorer.fit([cross])
    rows = np.array([[2.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    np.testing.assert_allclose(scorer.scores(rows), [2 / 1.8 + 2 / 0.2, 2 / 1.8, 2 / 0.2])


def test_with_all_axes_the_score_is_the_mean_of_squares_over_variances(cross: np.ndarray) -> None:
    scorer = Pca(window=1, explained=0.95)
    scorer.fit([cross])
    assert scorer.scores(np.array([[2.0, 0.0]]))[0] == pytest.approx((2 / 1.8 + 2 / 0.2) / 2)


def test_normal_windows_score_two_on_average(cross: np.ndarray) -> None:
    rows = np.random.default_rng(3).normal(size=(200, 2)) @ cross[[0, 2]]
    scorer = Pca(window=4, explained=0.6)
    scorer.fit([rows])
    assert scorer.scores(rows)[3:].mean() == pytest.approx(2)
