"""Without rounding to 4 bits: FP32 and FP16."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import to_half
from taolora_ros.evaluation.quantizers.product import Product
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.low_rank import no_low_rank


@dataclass(frozen=True, slots=True)
class FullPrecision:
    """Weights, bias and inputs in one floating-point type."""

    type: type[np.float32] | type[np.float16]

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> Product:
        """Cast the layer; nothing is fitted."""
        assert weights.dense is not None
        stored = weights.dense.astype(self.type)
        return Product(
            weight=stored.astype(np.float32),
            low_rank=no_low_rank(*stored.shape),
            bias=weights.bias,
            round_rows=to_half if self.type is np.float16 else lambda x: x,
            bytes=stored.nbytes + stored.itemsize * np.count_nonzero(weights.bias),
        )
