"""The low-rank FP16 path: A and B fitted to what the INT4 path loses at its output.

M rows, K inputs, N outputs, R rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.quantization.int4 import Halves
from taolora_ros.samples import Floats


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The product A·B, held in FP16."""

    down: Halves  # [K, R] A
    up: Halves  # [R, N] B

    @property
    def rank(self) -> int:
        """R."""
        return self.down.shape[1]


def fit_low_rank(
    inputs: Floats, lost: Floats, *, rank: int, ridge: float, metric: Floats | None = None
) -> LowRank:
    """Reduced-rank ridge regression of the lost output on the input.

    Minimizes ‖lost − X·A·B‖² + λ‖A·B‖² over all A·B of rank R: with M = XᵀX + λI = LLᵀ, the
    best rank-R approximation of Lᵀ·M⁻¹·Xᵀ·lost is mapped back through L⁻ᵀ (Izenman 1975).
    Fitting to W − Q4(W) instead would leave the clipped part of X lost.

    Args:
        inputs: X, `[M, K]`, transient rows of the layer's input at full precision.
        lost: X·W − Q4(X)·Q4(W), `[M, N]`.
        rank: R; capped at min(K, N).
        ridge: λ over the mean of the diagonal of XᵀX.
        metric: `[N]` what an error of each output weighs; equal without.
    """
    weight = np.ones(lost.shape[1]) if metric is None else metric
    rank = min(rank, inputs.shape[1], lost.shape[1])
    gram = inputs.T @ inputs
    level = max(ridge, 1e-9) * max(float(np.trace(gram)) / gram.shape[0], 1e-12)
    factor = np.linalg.cholesky(gram + level * np.eye(gram.shape[0]))
    target = np.linalg.solve(factor, inputs.T @ (lost * weight))  # L⁻¹XᵀR = Lᵀ·M⁻¹XᵀR
    left, strength, right = np.linalg.svd(target, full_matrices=False)
    share = np.sqrt(strength[:rank])  # split evenly, so that both factors stay within FP16
    down = np.linalg.solve(factor.T, left[:, :rank] * share)
    up = share[:, None] * right[:rank] / weight
    return LowRank(down=_halves(down), up=_halves(up))


def _halves(values: Floats) -> Halves:
    limit = float(np.finfo(np.float16).max)
    return np.clip(values, -limit, limit).astype(np.float16)
