"""Smoothing and rotation of a layer's inputs before they are rounded: the definition.

    z[m, k]    = x[m, k] · units[k]      units[k] = 1 / (λ[k] · √G)
    u[m, g, :] = z[m, g, :] · H          H[i, j] = (−1)^popcount(i & j), G × G

M rows, K inputs (a multiple of G), G group size, a power of two. H/√G is Hadamard's matrix in
Sylvester's order: symmetric and its own inverse, so that the same function turns the weights,
with units λ/√G, and u·W' is x·W. Rotation spreads what is large in one input over its group
(QuaRot, Ashkboos et al. 2024), where 4 bits lose the least.

The product is rounded to float32 before the first stage, and H is applied in log2 G stages of
sums and differences, at distances 1, 2, 4, …: no order of summation is left open, and engines
agree on every bit.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from taolora_ros.quantization.octaves import Codes, decode
from taolora_ros.samples import Float32s

Scalar = TypeVar('Scalar', np.float32, np.float64)


def units(smooth: Codes, group: int) -> Float32s:
    """What the inputs are multiplied by, `[K]`; from the codes of λ `[K]`."""
    inverse: Float32s = (1.0 / (decode(smooth) * np.sqrt(group))).astype(np.float32)
    return inverse


def rotate(x: npt.NDArray[Scalar], units: npt.NDArray[Scalar], group: int) -> npt.NDArray[Scalar]:
    """Smooth and rotate rows `[M, K]`.

    Args:
        x: the rows; float32 at run time.
        units: `[K]` of the same type.
        group: G.
    """
    now = np.ascontiguousarray((x * units).reshape(-1, group).T)  # [G, M·K/G]: long inner loops
    after = np.empty_like(now)
    width = now.shape[1]
    while width < now.size:
        pairs, target = now.reshape(-1, 2, width), after.reshape(-1, 2, width)
        np.add(pairs[:, 0], pairs[:, 1], out=target[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=target[:, 1])
        now, after = after, now
        width *= 2
    return np.ascontiguousarray(now.T).reshape(x.shape)
