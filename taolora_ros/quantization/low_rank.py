"""The low-rank FP16 path: A and B fitted to what the INT4 path loses at its output.

M rows, K inputs, N outputs, R rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.quantization.int4 import Halves
from taolora_ros.samples import Floats

_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The product A·B, held in FP16."""

    down: Halves  # [K, R] A
    up: Halves  # [R, N] B

    @property
    def rank(self) -> int:
        """R."""
        return self.down.shape[1]

    @property
    def nbytes(self) -> int:
        """Of A and B."""
        return self.down.nbytes + self.up.nbytes

    def product(self) -> Floats:
        """A·B, `[K, N]`."""
        return self.down.astype(np.float64) @ self.up.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """All that the fit needs of rows X and their lost output R; sums of rows add up."""

    gram: Floats  # [K, K] XᵀX
    cross: Floats  # [K, N] XᵀR
    power: Floats  # [N] diagonal of RᵀR

    @staticmethod
    def of(inputs: Floats, lost: Floats) -> Moments:
        """The moments of rows `[M, K]` and `[M, N]`."""
        return Moments(inputs.T @ inputs, inputs.T @ lost, (lost * lost).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.gram + other.gram, self.cross + other.cross, self.power + other.power)

    def error(self, low_rank: LowRank, metric: Floats) -> float:
        """‖(R − X·A·B) ⊙ metric‖², from the moments alone."""
        product = low_rank.product()
        explained = (product * (2.0 * self.cross - self.gram @ product)).sum(axis=0)
        return float((self.power - explained) @ metric**2)


def no_low_rank(inputs: int, outputs: int) -> LowRank:
    """The path of rank 0, which adds nothing."""
    return LowRank(down=np.zeros((inputs, 0), np.float16), up=np.zeros((0, outputs), np.float16))


def fit_low_rank(moments: Moments, *, rank: int, ridge: float, metric: Floats) -> LowRank:
    """Reduced-rank ridge regression of the lost output on the input.

    Minimizes ‖(R − X·A·B) ⊙ metric‖² + λ‖A·B ⊙ metric‖² over all A·B of rank R: with
    M = XᵀX + λI = LLᵀ, the best rank-R approximation of Lᵀ·M⁻¹·XᵀR is mapped back through L⁻ᵀ
    (Izenman 1975). Fitting to W − Q4(W) instead would leave the clipped part of X lost.

    Args:
        moments: of transient rows of the layer's input at full precision, and of their
            X·W − Q4(X)·Q4(W).
        rank: R; capped at min(K, N).
        ridge: λ over the mean of the diagonal of XᵀX.
        metric: `[N]` what an error of each output weighs.
    """
    inputs, outputs = moments.cross.shape
    rank = min(rank, inputs, outputs)
    level = max(ridge, 1e-9) * max(float(np.trace(moments.gram)) / inputs, 1e-12)
    factor = np.linalg.cholesky(moments.gram + level * np.eye(inputs))
    target = np.linalg.solve(factor, moments.cross * metric)  # L⁻¹XᵀR = Lᵀ·M⁻¹·XᵀR
    left = _left_vectors(target, rank)
    down = np.linalg.solve(factor.T, left)
    up = left.T @ target / metric
    balance = np.sqrt(_largest(up) / _largest(down))
    return LowRank(down=_halves(down * balance), up=_halves(up / balance))


def _left_vectors(matrix: Floats, rank: int) -> Floats:
    """The first left singular vectors, `[K, R]`; from the smaller of its two Gram matrices."""
    if matrix.shape[0] <= matrix.shape[1]:
        return np.linalg.eigh(matrix @ matrix.T)[1][:, : -rank - 1 : -1]
    _, right = np.linalg.eigh(matrix.T @ matrix)
    left: Floats = np.linalg.qr(matrix @ right[:, : -rank - 1 : -1])[0]
    return left


def _largest(values: Floats) -> float:
    return max(float(np.abs(values).max(initial=0.0)), 1e-12)


def _halves(values: Floats) -> Halves:
    return np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
