"""Time-aware INT4 quantization of activations on the CPU: codes and scales bit for bit.

M rows, K inputs (a multiple of G), G group size, a power of two from 8 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.config import Activation
from taolora_ros.kernels import vectors
from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.quantize.reference import LARGEST_PAIR
from taolora_ros.quantization.int4 import LARGEST
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s

STATIC, PER_TOKEN, PER_GROUP, TIME_AWARE = range(4)
MODES = {
    Activation.STATIC: STATIC,
    Activation.PER_TOKEN: PER_TOKEN,
    Activation.PER_GROUP: PER_GROUP,
    Activation.TIME_AWARE: TIME_AWARE,
}

_ONE = np.float32(1.0)
_STEADY_LIMIT, _PAIR_LIMIT = np.float32(LARGEST), np.float32(LARGEST_PAIR)
_LEAST = np.finfo(np.float32).tiny  # of a scale, whose inverse is finite
_ROUND = 1.5 * 2.0**23  # added and taken away it rounds half to even, up to 2²²
_WIDTH = 8
_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')


@jit()
def quantize(
    x: Float32s,
    steady: Float32s,
    is_transient: Bools,
    mode: int,
    codes: Codes,
    scales: Float32s,
) -> None:
    """Round rows to 4 bits.

    Args:
        x: `[M, K]` float32, finite.
        steady: `[K/G]` float32, positive.
        is_transient: `[M]` the mask.
        mode: how scales are chosen, one of `MODES`.
        codes: `[M, K]` int8, overwritten.
        scales: `[M, K/G]` float32, overwritten.
    """
    for row in range(x.shape[0]):
        quantize_row(x[row], steady, is_transient[row], mode, codes[row], scales[row])


@jit()
def quantize_row(
    x: Float32s, steady: Float32s, is_transient: bool, mode: int, codes: Codes, scales: Float32s
) -> None:
    """Round one row `[K]`."""
    groups, inputs = steady.shape[0], x.shape[0]
    size = inputs // groups
    is_pair = mode == TIME_AWARE and is_transient
    limit = _PAIR_LIMIT if is_pair else _STEADY_LIMIT
    for group in range(groups):
        scales[group] = steady[group]
    step = _ONE / limit
    if mode == PER_TOKEN:
        _follow(_largest(x, 0, inputs), step, scales)
    elif mode == PER_GROUP or is_pair:
        for group in range(groups):
            largest = _largest(x, group * size, size)
            _follow(largest, step, scales[group : group + 1])
    for group in range(groups):
        _round(x, group * size, size, _ONE / scales[group], limit, codes)


@jit()
def _follow(largest: np.float32, step: np.float32, scales: Float32s) -> None:
    """Replace scales by the one that the largest magnitude asks for, unless that is too small."""
    following = largest * step
    if following >= _LEAST:
        for group in range(scales.shape[0]):
            scales[group] = following


@vectors.vector_code(_FLOATS, types.intp, types.intp, result=types.float32)
def _largest(builder: Any, x: Any, first: Any, count: Any) -> Any:
    """The largest magnitude of `count` neighbors.

    Without their sign, floats are in the order of the integers with the same bits.
    """
    kind = vectors.vector(vectors.INT32, _WIDTH)
    magnitude = vectors.constant(vectors.INT32, 0x7FFFFFFF, _WIDTH)
    most = vectors.variable(builder, vectors.constant(vectors.INT32, 0, _WIDTH))
    with vectors.steps(builder, first, builder.add(first, count), _WIDTH) as k:
        bits = builder.bitcast(vectors.load(builder, x, k, _WIDTH), kind)
        found = _larger(builder, builder.load(most), builder.and_(bits, magnitude))
        builder.store(found, most)
    found, distance = builder.load(most), _WIDTH // 2
    while distance:
        partners = vectors.shuffle(builder, found, [place ^ distance for place in range(_WIDTH)])
        found = _larger(builder, found, partners)
        distance //= 2
    bits = builder.extract_element(found, ir.Constant(vectors.INT32, 0))
    return builder.bitcast(bits, vectors.FLOAT)


def _larger(builder: Any, one: Any, other: Any) -> Any:
    return builder.select(builder.icmp_signed('>', one, other), one, other)


@vectors.vector_code(_FLOATS, types.intp, types.intp, types.float32, types.float32, _CODES)
def _round(
    builder: Any, x: Any, first: Any, count: Any, inverse: Any, limit: Any, codes: Any
) -> None:
    """Codes of `count` neighbors."""
    by, high = vectors.splat(builder, inverse, _WIDTH), vectors.splat(builder, limit, _WIDTH)
    low = builder.fsub(vectors.constant(vectors.FLOAT, -0.0, _WIDTH), high)
    shift = vectors.constant(vectors.FLOAT, _ROUND, _WIDTH)
    with vectors.steps(builder, first, builder.add(first, count), _WIDTH) as k:
        value = builder.fmul(vectors.load(builder, x, k, _WIDTH), by)
        value = builder.select(builder.fcmp_ordered('>', value, low), value, low)
        value = builder.select(builder.fcmp_ordered('<', value, high), value, high)
        value = builder.fsub(builder.fadd(value, shift), shift)
        whole = builder.fptosi(value, vectors.vector(vectors.INT32, _WIDTH))
        code = builder.trunc(whole, vectors.vector(vectors.INT8, _WIDTH))
        vectors.store(builder, code, codes, k)
