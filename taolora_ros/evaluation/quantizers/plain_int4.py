"""W4A4 without a low-rank part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.inputs import to_int4
from taolora_ros.evaluation.quantizers.product import Product
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import no_low_rank
from taolora_ros.quantization.time_aware import fit_steady_scales
from taolora_ros.samples import Float32s


@dataclass(frozen=True, slots=True)
class PlainInt4:
    """Weights rounded to the nearest code, inputs with one way to choose their scales.

    The weights' scales come from the same search as TAO-LoRA's, a static scale of the inputs
    from the same search over normal rows.
    """

    activation: Activation

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> Product:
        """Round the layer."""
        assert weights.dense is not None
        group = weights.weight.group
        int4 = fit_int4(weights.dense.astype(np.float64), group=group)
        steady: Float32s = np.ones(weights.inputs // group, np.float32)
        stored = 0
        if self.activation is Activation.STATIC:
            scales = fit_steady_scales(calibration.normal, group=group)
            steady, stored = scales.astype(np.float32), scales.nbytes
        return Product(
            weight=int4.dense(),
            low_rank=no_low_rank(weights.inputs, weights.outputs),
            bias=weights.bias,
            round_rows=to_int4(steady, self.activation),
            bytes=int4.nbytes + weights.bias_bytes + stored,
        )
