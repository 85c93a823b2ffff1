from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.baselines.scaling import fit_scale, rebased


def test_channels_get_the_mean_and_deviation_of_all_normal_rows() -> None:
    # Rows 1, 3 and 5, 7: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5.
    scale = fit_scale([np.array([[1.0], [3.0]]), np.array([[5.0], [7.0]])])
    np.testing.assert_allclose(scale.standardized(np.array([[9.0]])), [[5 / np.sqrt(5)]])


def test_what_is_constant_but_for_rounding_is_dropped() -> None:
    rows = np.array([[0.1, 1e6, 0.0], [0.1, 1e6 + 1e-9, 2.0], [0.1, 1e6, 4.0]])
    assert fit_scale([rows]).moves.tolist() == [False, False, True]


def test_without_a_channel_that_moves_there_is_one_of_zeros() -> None:
    scale = fit_scale([np.ones((3, 2))])
    assert scale.standardized(np.full((4, 2), 7.0)).tolist() == [[0.0]] * 4


def test_rebasing_subtracts_the_mean_of_the_first_second() -> None:
    rows = np.array([[1.0], [3.0], [8.0]])
    assert rebased(rows, 2.0).tolist() == [[-1.0], [1.0], [6.0]]


def test_rebasing_on_slow_data_takes_the_first_row() -> None:
    rows = np.array([[2.0, 5.0], [3.0, 5.0]])
    assert rebased(rows, 1 / 300).tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_rebasing_less_than_a_second_takes_what_there_is() -> None:
    assert rebased(np.array([[1.0], [3.0]]), 62.5).tolist() == [[-1.0], [1.0]]
