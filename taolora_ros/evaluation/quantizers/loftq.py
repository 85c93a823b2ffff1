"""LoftQ: NF4 weights and a low-rank part fitted in turns (Li et al. 2024).

    Q ← NF4(W − A·B),   A·B ← best rank-R approximation of W − Q,   five times

K inputs, N outputs, R rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import Inputs, rounding
from taolora_ros.evaluation.quantizers.normal_float import fit_normal_float
from taolora_ros.evaluation.quantizers.product import (
    Product,
    rank_within,
    truncated,
)
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights

TURNS = 5


@dataclass(frozen=True, slots=True)
class LoftQ:
    """As published, without the fine-tuning that follows; looks at no activation.

    Its magnitudes are rounded to 8 bits as QLoRA's are, where the authors keep them in FP32.
    """

    inputs: Inputs

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> Product:
        """Round the layer."""
        assert weights.dense is not None
        dense = weights.dense.astype(np.float64)
        stored = fit_normal_float(dense)
        spent = stored.bytes + weights.bias_bytes
        rank = rank_within(
            weights.packed_bytes, spent, inputs=weights.inputs, outputs=weights.outputs
        )
        low_rank = truncated(dense - stored.dense(), rank)
        for _ in range(TURNS - 1):
            stored = fit_normal_float(dense - low_rank.product())
            low_rank = truncated(dense - stored.dense(), rank)
        return Product(
            weight=stored.dense(),
            low_rank=low_rank,
            bias=weights.bias,
            round_rows=rounding(
                self.inputs, inputs_count=weights.inputs, group=weights.weight.group
            ),
            bytes=spent + low_rank.nbytes,
        )
