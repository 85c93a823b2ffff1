"""R-Sparse: large inputs through the weights' own rows, the rest through a low rank.

    Y = σ(X)·W + (X − σ(X))·A·B,   σ keeps inputs whose size is above a threshold

Zhang et al. 2025. A·B is the best rank-R approximation of W. Half of the multiplications of the
dense layer are spent, as published; how they are shared out between rows and rank is searched
for by the error of the output, where the authors search for all layers at once. K inputs,
N outputs, R rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import Inputs, RoundRows, rounding
from taolora_ros.evaluation.quantizers.product import (
    rank_within,
    truncated,
)
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import Halves, fit_int4
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.samples import Bools, Float32s

KEPT = 0.5  # of the multiplications
_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)  # of these, spent on the weights' own rows


@dataclass(frozen=True, slots=True, eq=False)
class SparseLayer:
    """The layer ready to run."""

    weight: Float32s  # [K, N] what is stored stands for
    low_rank: LowRank
    bias: Halves  # [N]
    round_rows: RoundRows
    importance: Float32s  # [K] by which an input's size is multiplied before it is judged
    threshold: float
    bytes: int

    def __call__(self, x: Float32s, is_transient: Bools) -> Float32s:
        """Apply the layer to rows `[M, K]`; returns `[M, N]` float32."""
        rows = self.round_rows(x)
        kept = np.where(np.abs(x) * self.importance > self.threshold, rows, np.float32(0.0))
        y: Float32s = kept @ self.weight
        y += self.bias.astype(np.float32)
        down, up = self.low_rank.down.astype(np.float32), self.low_rank.up.astype(np.float32)
        y += (rows - kept) @ down @ up
        return y


@dataclass(frozen=True, slots=True)
class RSparse:
    """With the weights in FP16 as published, or in INT4 so that it fits the budget.

    An input's size is taken times the norm of what the low rank leaves of its weights, since the
    authors' code scales inputs before the threshold too. The threshold is a quantile on normal
    rows; padding, which is always 0, doesn't count.
    """

    is_int4: bool
    inputs: Inputs

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> SparseLayer:
        """Share out the multiplications."""
        candidates = [self._shared_out(weights, calibration, share) for share in _SHARES]
        return min(candidates, key=lambda layer: calibration.error(layer, weights))

    def _shared_out(
        self, weights: DualPathWeights, calibration: Calibration, share: float
    ) -> SparseLayer:
        assert weights.dense is not None
        dense = weights.dense.astype(np.float64)
        inputs, outputs = dense.shape
        if self.is_int4:
            int4 = fit_int4(dense, group=weights.weight.group)
            stored, spent = int4.dense(), int4.nbytes + weights.bias_bytes
        else:
            halves = weights.dense.astype(np.float16)
            stored, spent = halves.astype(np.float32), halves.nbytes + weights.bias_bytes
        moving = np.abs(calibration.normal).max(axis=0) > 0.0
        count = int(moving.sum())
        rank = int((1.0 - share) * KEPT * count * outputs / (count + outputs))
        if self.is_int4:
            most = rank_within(weights.packed_bytes, spent, inputs=inputs, outputs=outputs)
            rank = min(rank, most)
        low_rank = truncated(dense, rank)
        importance = np.sqrt(((dense - low_rank.product()) ** 2).sum(axis=1)).astype(np.float32)
        sizes = np.abs(calibration.normal[:, moving]) * importance[moving]
        return SparseLayer(
            weight=stored,
            low_rank=low_rank,
            bias=weights.bias,
            round_rows=rounding(self.inputs, inputs_count=inputs, group=weights.weight.group),
            importance=importance,
            threshold=float(np.quantile(sizes, 1.0 - share * KEPT)),
            bytes=spent + low_rank.nbytes + 2 * inputs,  # importance in FP16
        )
