"""Disturbances put into normal rows."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.training.augmentation import LARGEST_SIGMA, Disturbance, disturb


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2000, 6)).astype(np.float32)


@pytest.mark.parametrize('kind', list(Disturbance))
def test_rows_change_where_they_are_touched_and_nowhere_else(
    rows: np.ndarray, kind: Disturbance
) -> None:
    disturbed = disturb(rows, kind, np.random.default_rng(1))
    assert disturbed.rows.dtype == np.float32
    assert (disturbed.rows[~disturbed.is_touched] == rows[~disturbed.is_touched]).all()
    assert 0.0 < disturbed.is_touched.mean() < 0.5
    changed = (disturbed.rows != rows).any(axis=1)
    assert changed[disturbed.is_touched].mean() > 0.9


@pytest.mark.parametrize('kind', list(Disturbance))
def test_disturbances_are_bounded_and_repeatable(rows: np.ndarray, kind: Disturbance) -> None:
    first, second = (disturb(rows, kind, np.random.default_rng(2)).rows for _ in range(2))
    assert (first == second).all()
    assert np.abs(first).max() <= 4 * LARGEST_SIGMA


def test_steps_reach_far_beyond_the_normal_range(rows: np.ndarray) -> None:
    disturbed = disturb(rows, Disturbance.STEP, np.random.default_rng(3))
    assert np.abs(disturbed.rows).max() > 15.0


@pytest.mark.parametrize('kind', list(Disturbance))
def test_one_row_of_one_channel_is_enough(kind: Disturbance) -> None:
    disturbed = disturb(np.zeros((1, 1), np.float32), kind, np.random.default_rng(4))
    assert disturbed.rows.shape == (1, 1)
    assert np.isfinite(disturbed.rows).all()
