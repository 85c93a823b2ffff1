"""QLoRA: NF4 weights with a LoRA that is always on (Dettmers et al. 2023).

M rows, K inputs, N outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import Inputs, rounding
from taolora_ros.evaluation.quantizers.normal_float import fit_normal_float
from taolora_ros.evaluation.quantizers.product import Product, rank_within
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.low_rank import Moments, fit_low_rank

# Over the mean input power. What FP16 inputs lose is linear in them and needs none; what INT4
# inputs lose is mostly not, and takes TAO-LoRA's.
_RIDGES = {Inputs.FP16: 1e-6, Inputs.INT4: 1e-2}


@dataclass(frozen=True, slots=True)
class QLora:
    """NF4 with double quantization, and a LoRA in FP16.

    The paper trains the LoRA on a task. There is none here beyond the network's own, which its
    FP32 weights solve already, so that the LoRA is fitted to what rounding loses of the output,
    in closed form (reduced-rank regression) on normal and disturbed rows with equal weight.
    """

    inputs: Inputs

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> Product:
        """Round the layer and fit its LoRA."""
        assert weights.dense is not None
        dense = weights.dense.astype(np.float64)
        stored = fit_normal_float(dense)
        rounded = stored.dense()
        round_rows = rounding(self.inputs, inputs_count=weights.inputs, group=weights.weight.group)
        parts = []
        for x in (calibration.normal, calibration.disturbed):
            exact = x.astype(np.float64) / np.sqrt(len(x))
            lost = exact @ dense - round_rows(x) @ rounded / np.sqrt(len(x))
            parts.append(Moments.of(exact, lost))
        spent = stored.bytes + weights.bias_bytes
        low_rank = fit_low_rank(
            parts[0] + parts[1],
            rank=rank_within(
                weights.packed_bytes, spent, inputs=weights.inputs, outputs=weights.outputs
            ),
            ridge=_RIDGES[self.inputs],
            metric=calibration.metric,
        )
        return Product(
            weight=rounded,
            low_rank=low_rank,
            bias=weights.bias,
            round_rows=round_rows,
            bytes=spent + low_rank.nbytes,
        )
