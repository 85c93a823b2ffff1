"""What happens to the features of tokens between two layers on the CPU.

An array is followed by where its part begins. All parts are of float32; those that are written
don't overlap others unless it says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.chunks import Chunk, chunks

_FUSED = ('contract',)  # a·b + c may be rounded once
_LINE = 16  # floats of a line of the cache
_PART = (types.Array(types.float32, 1, 'C'), types.intp)

_LOG2_E = float(np.log2(np.e))
_ROUND = 1.5 * 2.0**23  # added it rounds to the nearest integer, in the last bits
_BIAS, _MANTISSA = 127, 23  # of a float32's exponent
_LOWEST, _HIGHEST = -126.0, 116.0  # exponents; the first still normal
# Taylor coefficients ln(2)^k / k! of 2^f; within half an octave the next one adds 5e-9.
_POWERS = [float(np.log(2.0) ** k / np.prod(np.arange(1.0, k + 1))) for k in range(8)]


@vectors.vector_code(
    *(*_PART, *_PART, *_PART, types.intp),
    *(types.intp, types.intp, types.intp, types.intp, types.intp),
)
def convolve(builder: Any, *arguments: Any) -> None:
    """Add a block's convolution to a token `[d]`, and remember the token as it was.

    Arguments are parts token `[d]`, taps `[kernel, d]` and ring `[reach, d]`, how far rows of the
    ring lie apart, the place in the ring that the token takes from the oldest, reach, dilation,
    kernel and d.
    """
    token, taps, ring = vectors.pointers(builder, arguments[:6])
    apart, newest, reach, dilation, kernel, width = arguments[6:]
    one = ir.Constant(vectors.INDEX, 1)
    has_past = builder.icmp_signed('>', reach, ir.Constant(vectors.INDEX, 0))

    def emit(some: Chunk) -> None:
        now = some.load(token)
        own = builder.fmul(some.load(taps), now, flags=_FUSED)
        sums = vectors.variable(builder, builder.fadd(now, own, flags=_FUSED))
        with vectors.steps(builder, one, kernel, 1) as lag:
            then = _row(builder, lag, newest, reach, dilation)
            seen = some.load(ring, builder.mul(then, apart))
            part = builder.fmul(some.load(taps, builder.mul(lag, width)), seen, flags=_FUSED)
            builder.store(builder.fadd(builder.load(sums), part, flags=_FUSED), sums)
        with builder.if_then(has_past):
            some.store(now, ring, builder.mul(newest, apart))
        some.store(builder.load(sums), token)

    chunks(builder, width, emit)


@vectors.vector_code(
    *(*_PART, types.intp),
    *(types.intp, types.intp, types.intp, types.intp, types.intp),
)
def fetch(builder: Any, *arguments: Any) -> None:
    """Ask for what a convolution reads of a ring; arguments as of `convolve` from the ring on."""
    ring = builder.gep(arguments[0], [arguments[1]])
    apart, newest, reach, dilation, kernel, width = arguments[2:]
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 1), kernel, 1) as lag:
        first = builder.mul(_row(builder, lag, newest, reach, dilation), apart)
        with vectors.steps(builder, first, builder.add(first, width), _LINE) as line:
            vectors.prefetch(builder, builder.gep(ring, [line]))


def _row(builder: Any, lag: Any, newest: Any, reach: Any, dilation: Any) -> Any:
    """The row of a ring that a tap reads."""
    then = builder.sub(newest, builder.mul(lag, dilation))
    is_wrapped = builder.icmp_signed('<', then, ir.Constant(vectors.INDEX, 0))
    return builder.select(is_wrapped, builder.add(then, reach), then)


@vectors.vector_code(*_PART, *_PART, *_PART, types.float32, types.intp)
def normalize(builder: Any, *arguments: Any) -> None:
    """A token `[d]` at a root mean square of 1, times the gain.

    Arguments are parts to, token and gain, what is added to the mean square, and d.
    """
    to, token, gain = vectors.pointers(builder, arguments[:6])
    floor, width = arguments[6:]
    one = ir.Constant(vectors.FLOAT, 1.0)
    mean = builder.fdiv(_power(builder, token, width), builder.sitofp(width, vectors.FLOAT))
    root = vectors.call(builder, 'llvm.sqrt.f32', vectors.FLOAT, builder.fadd(mean, floor))
    scale = builder.fdiv(one, root)

    def emit(some: Chunk) -> None:
        value = builder.fmul(some.load(token), vectors.splat(builder, scale, some.width))
        some.store(builder.fmul(value, some.load(gain)), to)

    chunks(builder, width, emit)


def _power(builder: Any, values: Any, count: Any) -> Any:
    """The sum of squares of so many, a multiple of 8."""
    power: Any = ir.Constant(vectors.FLOAT, 0.0)
    first: Any = ir.Constant(vectors.INDEX, 0)
    for lanes in (32, 8):
        last = vectors.whole_steps(builder, first, count, lanes)
        sums = vectors.variable(builder, vectors.constant(vectors.FLOAT, 0.0, lanes))
        with vectors.steps(builder, first, last, lanes) as index:
            value = vectors.load(builder, values, index, lanes)
            square = builder.fmul(value, value, flags=_FUSED)
            builder.store(builder.fadd(builder.load(sums), square, flags=_FUSED), sums)
        power = vectors.sum_of(builder, power, builder.load(sums))
        first = last
    return power


@vectors.vector_code(*_PART, *_PART, *_PART, types.intp)
def gate(builder: Any, *arguments: Any) -> None:
    """Gated values: to = silu(gates) · values.

    exp(−a) is 2ⁿ·2^f with n whole and |f| ≤ ½: n becomes the exponent's bits of a float, 2^f a
    polynomial.
    """
    to, gates, values = vectors.pointers(builder, arguments[:6])

    def emit(some: Chunk) -> None:
        given = some.load(gates)
        below = builder.fadd(some.number(1.0), _exp_of_minus(some, given))
        some.store(builder.fdiv(builder.fmul(given, some.load(values)), below), to)

    chunks(builder, arguments[6], emit)


def _exp_of_minus(some: Chunk, value: Any) -> Any:
    builder, number = some.builder, some.number
    octaves = builder.fmul(value, number(-_LOG2_E))
    lowest, highest = number(_LOWEST), number(_HIGHEST)
    octaves = builder.select(builder.fcmp_ordered('<', octaves, highest), octaves, highest)
    octaves = builder.select(builder.fcmp_ordered('>', octaves, lowest), octaves, lowest)
    shifted = builder.fadd(octaves, number(_ROUND))
    f = builder.fsub(octaves, builder.fsub(shifted, number(_ROUND)))
    power = number(_POWERS[-1])
    for coefficient in reversed(_POWERS[:-1]):
        part = builder.fmul(power, f, flags=_FUSED)
        power = builder.fadd(part, number(coefficient), flags=_FUSED)
    whole = builder.bitcast(shifted, vectors.vector(vectors.INT32, some.width))
    raised = builder.add(whole, vectors.constant(vectors.INT32, _BIAS, some.width))
    bits = builder.shl(raised, vectors.constant(vectors.INT32, _MANTISSA, some.width))
    return builder.fmul(power, builder.bitcast(bits, power.type))
