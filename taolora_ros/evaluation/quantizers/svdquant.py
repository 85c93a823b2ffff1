"""SVDQuant: outliers moved into the weights, and their largest part into FP16 (Li et al. 2025).

    Ŵ = λ ⊙ W,  X̂ = X ⊘ λ,   A·B = best rank-R approximation of Ŵ
    Y = Q4(X̂)·Q4(Ŵ − A·B) + (X̂·A)·B,   λₖ = max|xₖ|^α / max|wₖ|^(1−α)

K inputs, N outputs, R rank. α by search over the error of the output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import Inputs, rounding
from taolora_ros.evaluation.quantizers.product import (
    Product,
    rank_within,
    truncated,
)
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.samples import Float32s, Floats

_STRENGTHS = (None, 0.0, 0.25, 0.5, 0.75, 1.0)  # α; None leaves the inputs as they are
_DAMPING = 0.1  # of the Gram matrix in rounding, over its mean diagonal; as TAO-LoRA's


@dataclass(frozen=True, slots=True)
class SvdQuant:
    """As published, with INT4 inputs and error-compensating rounding of what is left of Ŵ.

    λ is stored in FP16, one number an input; groups are TAO-LoRA's, half as long as the paper's.
    """

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> Product:
        """Split and round the layer."""
        candidates = [
            _split(weights, calibration, _smoothing(weights, calibration, strength))
            for strength in _STRENGTHS
        ]
        return min(candidates, key=lambda layer: calibration.error(layer, weights))


def _smoothing(
    weights: DualPathWeights, calibration: Calibration, strength: float | None
) -> Float32s:
    """λ `[K]`, 1 where an input is always 0 or has no weight."""
    assert weights.dense is not None
    largest = calibration.largest
    reach = np.abs(weights.dense).max(axis=1).astype(np.float64)
    smooth = np.ones_like(largest)
    if strength is not None:
        used = (largest > 0.0) & (reach > 0.0)
        smooth[used] = largest[used] ** strength / reach[used] ** (1.0 - strength)
        smooth /= np.exp(np.log(smooth[used]).mean()) if used.any() else 1.0
    return np.clip(smooth, 1e-3, 1e3).astype(np.float16).astype(np.float32)


def _split(weights: DualPathWeights, calibration: Calibration, smooth: Float32s) -> Product:
    assert weights.dense is not None
    group = weights.weight.group
    scaled: Floats = weights.dense.astype(np.float64) * smooth[:, None]
    gram = calibration.gram / np.outer(smooth, smooth)
    gram += _DAMPING * max(float(np.trace(gram)) / len(gram), 1e-9) * np.eye(len(gram))
    codes = weights.weight.nbytes
    spent = codes + weights.bias_bytes + smooth.size * np.float16().nbytes
    rank = rank_within(weights.packed_bytes, spent, inputs=weights.inputs, outputs=weights.outputs)
    largest = truncated(scaled, rank)
    int4 = fit_int4(scaled - largest.product(), group=group, gram=gram)
    assert int4.nbytes == codes, 'one format'
    low_rank = LowRank(down=(largest.down / smooth[:, None]).astype(np.float16), up=largest.up)
    return Product(
        weight=int4.dense(),
        low_rank=low_rank,
        bias=weights.bias,
        round_rows=rounding(Inputs.INT4, inputs_count=weights.inputs, group=group),
        bytes=spent + low_rank.nbytes,
        smooth=smooth,
    )
