from __future__ import annotations

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.evaluation.quantizers.tao_lora import TaoLora
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import DualPathWeights, at_precision


def test_it_runs_the_trained_layer(weights: DualPathWeights, calibration: Calibration) -> None:
    x, mask = calibration.normal[:9], np.arange(9) % 2 == 0
    layer = TaoLora(Precision.INT4_ROUTED).fit(weights, calibration)
    trained = at_precision(Precision.INT4_ROUTED, Activation.TIME_AWARE)('', weights)
    np.testing.assert_array_equal(layer(x, mask), trained(x, mask))


def test_only_a_gate_that_never_opens_saves_the_low_rank(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    never, always, routed = (
        TaoLora(precision).fit(weights, calibration).bytes
        for precision in (Precision.INT4_NEVER, Precision.INT4_ALWAYS, Precision.INT4_ROUTED)
    )
    assert always == routed == weights.packed_bytes
    assert never == weights.packed_bytes - 2 * 3 * (64 + 12)
