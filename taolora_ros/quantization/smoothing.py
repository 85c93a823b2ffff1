"""Smoothing: how large each input of a layer is while it is rounded.

K inputs, N outputs, L different λ. Rotation spreads rounding errors evenly over a group. The
error of the inputs is then as large as the whole group, Σ (σₖ/λₖ)², and meets all of its weights,
Σ (λₖ·‖wₖ‖)²; the error of the weights is the other way round. Both grow with the same product,
which is at least (Σ σₖ·‖wₖ‖)² (Cauchy and Schwarz), and is so small with

    λₖ = √(σₖ / ‖wₖ‖)

σ root mean square of an input on the rows that rounding should serve, ‖wₖ‖ of what the outputs
take from it. This is SmoothQuant's form (Xiao et al. 2023) with α = ½ and powers in place of
peaks. Inputs that are lags of one channel share their λ; it is stored in eighths of an octave.
"""

from __future__ import annotations

import numpy as np

from taolora_ros.quantization.octaves import STEPS, Codes
from taolora_ros.samples import Floats, Ints

_LARGEST = 10 * STEPS  # a thousand times the mean


def fit_smoothing(power: Floats, weight: Floats, shares: Ints) -> Codes:
    """The codes of λ, `[L]` int8: see `octaves`.

    Padding and inputs that never move have code 0. An input that no output takes is made as small
    as any other, so that rotation brings little of it to its group.

    Args:
        power: `[K]` mean square of each input.
        weight: W ⊙ metric, `[K, N]`.
        shares: `[K]` which λ an input takes; the inputs that share one get the mean of theirs.
    """
    size = np.sqrt(power)
    reach = np.sqrt((weight**2).mean(axis=1))
    is_used = (size > 0.0) & (reach > 0.0)
    octaves = np.zeros(size.shape[0])
    if is_used.any():
        best = 0.5 * np.log2(size[is_used] / reach[is_used])
        best -= best.mean()
        octaves[is_used] = best
        octaves[~is_used & (size > 0.0)] = best.max()
    moves = (size > 0.0).astype(np.float64)
    count = np.bincount(shares, moves)
    mean = np.bincount(shares, moves * octaves) / np.maximum(count, 1.0)
    codes: Codes = np.clip(np.rint(STEPS * mean), -_LARGEST, _LARGEST).astype(np.int8)
    return codes
