from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.samples import Bools, Float32s
from taolora_ros.training.augmentation import Disturbance


@pytest.fixture
def two() -> Calibration:
    """Two normal rows and, under two disturbances, three."""
    return Calibration(
        normal=np.float32([[1.0, 0.0], [1.0, 2.0]]),
        transient={
            Disturbance.STEP: np.float32([[3.0, -4.0]]),
            Disturbance.GAIN: np.float32([[0.0, 1.0], [0.0, 1.0]]),
        },
        metric=np.ones(12),
    )


def test_the_gram_matrix_is_half_normal_and_half_disturbed(two: Calibration) -> None:
    # Means of xᵀx: [[1, 1], [1, 2]] on normal rows, [[3, −4], [−4, 6]] on disturbed ones.
    np.testing.assert_allclose(two.gram, [[2.0, -1.5], [-1.5, 4.0]])


def test_the_largest_is_over_all_rows(two: Calibration) -> None:
    np.testing.assert_array_equal(two.largest, [3.0, 4.0])


def test_an_output_of_zero_has_an_error_of_one(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    def nothing(x: Float32s, is_transient: Bools) -> Float32s:
        return np.tile(weights.bias.astype(np.float32), (len(x), 1))

    def half_on_events(x: Float32s, is_transient: Bools) -> Float32s:
        assert weights.dense is not None
        share = np.where(is_transient, 0.5, 1.0)[:, None].astype(np.float32)
        return share * (x @ weights.dense) + weights.bias.astype(np.float32)

    assert calibration.error(nothing, weights) == pytest.approx(1.0)
    assert calibration.error(half_on_events, weights) == pytest.approx(0.125, rel=1e-3)
