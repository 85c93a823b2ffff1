"""Smoothing: how large each input of a layer is while it is rounded.

K inputs, N outputs. Rotation spreads rounding errors evenly over a group. The error of the inputs
is then as large as the whole group, Σ (σₖ/λₖ)², and meets all of its weights, Σ (λₖ·‖wₖ‖)²; the
error of the weights is the other way round. Both grow with the same product, which is at least
(Σ σₖ·‖wₖ‖)² (Cauchy and Schwarz), and is so small with

    λₖ = √(σₖ / ‖wₖ‖)

σ root mean square of an input on the rows that rounding should serve, ‖wₖ‖ of what the outputs
take from it. This is SmoothQuant's form (Xiao et al. 2023) with α = ½ and powers in place of
peaks. λ is stored in eighths of an octave, which is within 5 % of the best and costs a byte.
"""

from __future__ import annotations

import numpy as np

from taolora_ros.quantization.int4 import Codes
from taolora_ros.samples import Floats

_STEPS = 8  # of a code, in an octave
_LARGEST = 10 * _STEPS  # a thousand times the mean


def fit_smoothing(power: Floats, weight: Floats) -> Codes:
    """The codes of λ, `[K]` int8, of mean 0: see `factors`.

    Padding and inputs that never move have code 0. An input that no output takes is made as small
    as any other, so that rotation brings little of it to its group.

    Args:
        power: `[K]` mean square of each input.
        weight: W ⊙ metric, `[K, N]`.
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
    return np.clip(np.rint(_STEPS * octaves), -_LARGEST, _LARGEST).astype(np.int8)


def factors(smooth: Codes) -> Floats:
    """λ = 2^(code/8), `[K]`."""
    return np.exp2(smooth.astype(np.float64) / _STEPS)
