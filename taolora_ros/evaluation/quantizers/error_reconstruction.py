"""LQER and QERA: a low-rank part for the weights' rounding error, seen through the activations.

    A·B = S⁻¹ · (best rank-R approximation of S·(W − Q4(W)))

LQER (Zhang et al. 2024) scales by S = diag(mean |xₖ|), QERA (Zhang et al. 2025) by the square
root of the autocorrelation, S = E[xᵀx]^½, which minimizes the error of the output exactly as
long as the inputs are not rounded. K inputs, N outputs, R rank.
"""

from __future__ import annotations

import enum
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
from taolora_ros.samples import Floats

_FLOOR = 1e-4  # of a scale over the largest: padding has none, and S is inverted


class Scaling(enum.Enum):
    """S, how an error of each input's weights counts."""

    MEAN = 'mean'  # LQER
    AUTOCORRELATION = 'autocorrelation'  # QERA


@dataclass(frozen=True, slots=True)
class ErrorReconstruction:
    """INT4 weights in TAO-LoRA's format, each rounded to the nearest code, and A·B in FP16.

    The papers round weights to 4-bit blocks with shared exponents, which are coarser. S is
    taken from normal and disturbed rows with equal weight.
    """

    scaling: Scaling
    inputs: Inputs

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> Product:
        """Round the layer and reconstruct the error."""
        assert weights.dense is not None
        dense = weights.dense.astype(np.float64)
        group = weights.weight.group
        int4 = fit_int4(dense, group=group)
        spent = int4.nbytes + weights.bias_bytes
        scale, inverse = self._scale(calibration)
        rank = rank_within(
            weights.packed_bytes, spent, inputs=weights.inputs, outputs=weights.outputs
        )
        low_rank = truncated(scale @ (dense - int4.dense()), rank, before=inverse)
        return Product(
            weight=int4.dense(),
            low_rank=low_rank,
            bias=weights.bias,
            round_rows=rounding(self.inputs, inputs_count=weights.inputs, group=group),
            bytes=spent + low_rank.nbytes,
        )

    def _scale(self, calibration: Calibration) -> tuple[Floats, Floats]:
        """S and its inverse, `[K, K]`."""
        if self.scaling is Scaling.MEAN:
            parts = (calibration.normal, calibration.disturbed)
            sizes = np.mean([np.abs(x).mean(axis=0) for x in parts], axis=0).astype(np.float64)
            axes = np.eye(len(sizes))
        else:
            powers, axes = np.linalg.eigh(calibration.gram)
            sizes = np.sqrt(np.maximum(powers, 0.0))
        sizes = np.maximum(sizes, _FLOOR * sizes.max())
        return (axes * sizes) @ axes.T, (axes / sizes) @ axes.T
