from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.quantizers.full_precision import FullPrecision
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights


def test_fp32_is_exact_and_fp16_nearly(weights: DualPathWeights, calibration: Calibration) -> None:
    single = FullPrecision(np.float32).fit(weights, calibration)
    half = FullPrecision(np.float16).fit(weights, calibration)
    assert calibration.error(single, weights) < 1e-10
    assert 1e-10 < calibration.error(half, weights) < 1e-6  # 2⁻¹¹ relative, squared


def test_bytes_are_those_of_weights_and_bias(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    assert FullPrecision(np.float32).fit(weights, calibration).bytes == 4 * (64 * 12 + 12)
    assert FullPrecision(np.float16).fit(weights, calibration).bytes == 2 * (64 * 12 + 12)
