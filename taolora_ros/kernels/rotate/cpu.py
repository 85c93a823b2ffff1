"""Smoothing and rotation on the CPU: the same sums as the reference, stage by stage.

The stages within 8 or 32 neighbors are done in a vector of so many elements: each element takes
its partner, itself added or taken away. M rows, K inputs, G group size, a power of two from 8 on.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.jit import jit
from taolora_ros.samples import Float32s

_FLOATS = types.Array(types.float32, 1, 'C')


@jit()
def rotate(x: Float32s, units: Float32s, group: int, turned: Float32s) -> None:
    """Smooth and rotate rows.

    Args:
        x: `[M, K]` float32.
        units: `[K]` float32.
        group: G.
        turned: `[M, K]` float32, overwritten.
    """
    for row in range(x.shape[0]):
        rotate_row(x[row], units, group, turned[row])


@jit()
def rotate_row(x: Float32s, units: Float32s, group: int, turned: Float32s) -> None:
    """Smooth and rotate one row `[K]`."""
    inputs = x.shape[0]
    if group >= 32:
        width = 32
        for k in range(0, inputs, 32):
            _turn_32(x, units, k, turned)
    else:
        width = 8
        for k in range(0, inputs, 8):
            _turn_8(x, units, k, turned)
    while width < group:
        for first in range(0, inputs, 2 * width):
            for k in range(first, first + width):
                one, other = turned[k], turned[k + width]
                turned[k] = one + other
                turned[k + width] = one - other
        width *= 2


def _emit(builder: Any, x: Any, units: Any, k: Any, turned: Any, width: int) -> None:
    now = builder.fmul(vectors.load(builder, x, k, width), vectors.load(builder, units, k, width))
    distance = 1
    while distance < width:
        signs = [-1.0 if place & distance else 1.0 for place in range(width)]
        signed = builder.fmul(now, vectors.constant(ir.FloatType(), signs, width))
        partners = vectors.shuffle(builder, now, [place ^ distance for place in range(width)])
        now = builder.fadd(partners, signed)
        distance *= 2
    vectors.store(builder, now, turned, k)


@vectors.vector_code(_FLOATS, _FLOATS, types.intp, _FLOATS)
def _turn_8(builder: Any, x: Any, units: Any, k: Any, turned: Any) -> None:
    _emit(builder, x, units, k, turned, 8)


@vectors.vector_code(_FLOATS, _FLOATS, types.intp, _FLOATS)
def _turn_32(builder: Any, x: Any, units: Any, k: Any, turned: Any) -> None:
    _emit(builder, x, units, k, turned, 32)
