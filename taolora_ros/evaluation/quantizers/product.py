"""A rounded product with a low-rank part that is always on.

M rows, K inputs, N outputs, R rank, G group size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import RoundRows
from taolora_ros.quantization.int4 import Halves
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.samples import Bools, Float32s, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """Y = round(X ⊘ smooth)·W + (X·A)·B + bias, whatever the mask says."""

    weight: Float32s  # [K, N] what the codes stand for
    low_rank: LowRank
    bias: Halves  # [N]
    round_rows: RoundRows
    bytes: int
    smooth: Float32s | None = None  # [K]

    def __call__(self, x: Float32s, is_transient: Bools) -> Float32s:
        """Apply the layer to rows `[M, K]`; returns `[M, N]` float32."""
        smoothed = x if self.smooth is None else x / self.smooth
        y: Float32s = self.round_rows(smoothed) @ self.weight
        y += self.bias.astype(np.float32)
        y += x @ self.low_rank.down.astype(np.float32) @ self.low_rank.up.astype(np.float32)
        return y


def rank_within(budget: int, spent: int, *, inputs: int, outputs: int) -> int:
    """The largest rank whose A and B in FP16 fit into what is left of the budget, in bytes."""
    return int(np.clip((budget - spent) // (2 * (inputs + outputs)), 0, min(inputs, outputs)))


def truncated(matrix: Floats, rank: int, *, before: Floats | None = None) -> LowRank:
    """The best approximation of a matrix `[K, N]` by a product of this rank, in FP16.

    Args:
        matrix: what to approximate.
        rank: R.
        before: `[K, K]` what the product is multiplied by from the left.
    """
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(sizes[:rank])  # shared out, so that neither factor leaves FP16's range
    down = left[:, :rank] * root
    if before is not None:
        down = before @ down
    return LowRank(
        down=down.astype(np.float16), up=(root[:, None] * right[:rank]).astype(np.float16)
    )
