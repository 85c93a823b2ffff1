from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.baselines.distance import fit_distance


def test_distance_counts_in_deviations_along_the_axes_of_the_sample() -> None:
    # Ends of a cross turned by 45°, 2 and 1 long: variances 4/2 and 1/2 along its arms.
    long, short = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)
    sample = np.array([2 * long, -2 * long, short, -short]) + 3
    distance = fit_distance(sample, shrinkage=0.0)
    points = np.array([3 + long, 3 + short, 3 + 2 * long - short])
    np.testing.assert_allclose(distance.squared(points), [1 / 2, 2, 4 / 2 + 2])


def test_shrinkage_moves_the_variances_to_their_mean() -> None:
    # Variances 2 and 0, mean 1, shrunk by a quarter: 1.75 and 0.25.
    sample = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    distance = fit_distance(sample, shrinkage=0.25)
    np.testing.assert_allclose(distance.squared(np.eye(2)), [1 / 1.75, 1 / 0.25])


def test_sample_of_one_point_still_gives_a_distance() -> None:
    distance = fit_distance(np.ones((1, 2)), shrinkage=1e-3)
    assert distance.squared(np.ones((1, 2))) == pytest.approx(0.0)
    assert np.isfinite(distance.squared(np.zeros((1, 2)))).all()
