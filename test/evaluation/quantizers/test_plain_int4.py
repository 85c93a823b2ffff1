from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.plain_int4 import PlainInt4
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights

CODES, BIAS = 64 * 12 // 2 + 2 * 12, 12 * 2


@pytest.mark.parametrize(
    ('activation', 'stored'),
    [(Activation.STATIC, 4), (Activation.PER_TOKEN, 0), (Activation.PER_GROUP, 0)],
)
def test_bytes_are_codes_scales_and_bias(
    weights: DualPathWeights, calibration: Calibration, activation: Activation, stored: int
) -> None:
    assert PlainInt4(activation).fit(weights, calibration).bytes == CODES + BIAS + stored


def test_a_static_scale_loses_a_disturbance_and_finer_scales_lose_less(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    static, token, group = (
        calibration.error(PlainInt4(activation).fit(weights, calibration), weights)
        for activation in (Activation.STATIC, Activation.PER_TOKEN, Activation.PER_GROUP)
    )
    assert static > 2.0 * token
    assert token > group


def test_one_row_is_worked_out_by_hand(weights: DualPathWeights, calibration: Calibration) -> None:
    layer = PlainInt4(Activation.PER_TOKEN).fit(weights, calibration)
    x = np.zeros((1, 64), np.float32)
    x[0, 3], x[0, 40] = 7.0, 2.6  # one scale of 1: codes 7 and 3
    expected = 7.0 * layer.weight[3] + 3.0 * layer.weight[40] + weights.bias.astype(np.float32)
    np.testing.assert_allclose(layer(x, np.array([True]))[0], expected, rtol=1e-5)
