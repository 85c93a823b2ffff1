from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.inputs import Inputs, to_half
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.evaluation.quantizers.r_sparse import KEPT, RSparse, SparseLayer
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.low_rank import LowRank


def test_large_inputs_take_their_own_rows_and_small_ones_the_low_rank() -> None:
    layer = SparseLayer(
        weight=np.float32([[1.0], [2.0]]),
        low_rank=LowRank(down=np.float16([[1.0], [1.0]]), up=np.float16([[0.25]])),
        bias=np.float16([1.0]),
        round_rows=to_half,
        importance=np.float32([1.0, 4.0]),
        threshold=3.0,
        bytes=0,
    )
    x = np.float32([[4.0, 0.5], [2.0, 1.0]])
    # 4 is above 3, 0.5·4 is not; in the second row it is the other way round.
    np.testing.assert_array_equal(
        layer(x, np.zeros(2, bool)), [[4.0 + 0.125 + 1.0], [0.5 + 2.0 + 1.0]]
    )


def test_half_of_the_multiplications_are_spent_on_normal_rows(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = RSparse(is_int4=False, inputs=Inputs.FP16).fit(weights, calibration)
    kept = np.abs(calibration.normal) * layer.importance > layer.threshold
    spent = kept.mean() * 64 * 12 + layer.low_rank.rank * (64 + 12)
    assert spent == pytest.approx(KEPT * 64 * 12, abs=64 + 12)
    assert spent <= KEPT * 64 * 12 + 12


def test_bytes_hold_the_weights_whole(weights: DualPathWeights, calibration: Calibration) -> None:
    published = RSparse(is_int4=False, inputs=Inputs.FP16).fit(weights, calibration)
    small = RSparse(is_int4=True, inputs=Inputs.INT4).fit(weights, calibration)
    assert published.bytes >= 2 * (64 * 12 + 12 + 64)
    assert small.bytes <= weights.packed_bytes
