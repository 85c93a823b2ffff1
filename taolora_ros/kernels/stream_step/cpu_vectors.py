"""What a hop does between its layers, in vectors.

An array is followed by where its part begins. All parts are of float32; those that are written
don't overlap others unless it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors

_FUSED = ('contract',)  # a·b + c may be rounded once
_ROWS = 4  # that are predicted side by side
_FLOATS = types.Array(types.float32, 1, 'C')
_PART = (_FLOATS, types.intp)

_LOG2_E = float(np.log2(np.e))
_ROUND = 1.5 * 2.0**23  # added it rounds to the nearest integer, in the last bits
_BIAS, _MANTISSA = 127, 23  # of a float32's exponent
_LOWEST, _HIGHEST = -126.0, 116.0  # exponents; the first still normal
# Taylor coefficients ln(2)^k / k! of 2^f; within half an octave the next one adds 5e-9.
_POWERS = [float(np.log(2.0) ** k / np.prod(np.arange(1.0, k + 1))) for k in range(8)]
_MAGNITUDE, _INFINITY = 0x7FFFFFFF, 0x7F800000  # bits of a float32


@vectors.vector_code(*_PART, *_PART, types.intp)
def place(builder: Any, to: Any, to_first: Any, x: Any, x_first: Any, count: Any) -> None:
    """Copy so many floats."""
    to, x = builder.gep(to, [to_first]), builder.gep(x, [x_first])
    vectors.chunks(builder, count, lambda some: some.store(some.load(x), to))


@vectors.vector_code(*_PART, types.intp, *_PART, types.intp, types.intp, types.intp)
def place_rows(builder: Any, *arguments: Any) -> None:
    """Copy rows; arguments are parts to and x, each with the step between its rows, n and I."""
    to, to_first, to_step, x, x_first, x_step, rows, count = arguments
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        target = builder.gep(to, [builder.add(to_first, builder.mul(row, to_step))])
        source = builder.gep(x, [builder.add(x_first, builder.mul(row, x_step))])

        def emit(some: vectors.Chunk) -> None:
            some.store(some.load(source), target)

        vectors.chunks(builder, count, emit)


@vectors.vector_code(*_PART, types.intp, types.intp, types.intp)
def clear_rows(builder: Any, *arguments: Any) -> None:
    """Set rows to 0; arguments are the part, the step between its rows, n and I."""
    to, to_first, to_step, rows, count = arguments
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        target = builder.gep(to, [builder.add(to_first, builder.mul(row, to_step))])

        def emit(some: vectors.Chunk) -> None:
            some.store(some.number(0.0), target)

        vectors.chunks(builder, count, emit)


@vectors.vector_code(*_PART, *_PART, *_PART, types.intp)
def total(builder: Any, *arguments: Any) -> None:
    """Sums: to = x + y, where to may be one of them."""
    _emit_two(builder, arguments, builder.fadd)


@vectors.vector_code(*_PART, *_PART, *_PART, types.intp)
def product(builder: Any, *arguments: Any) -> None:
    """Products: to = x · y."""
    _emit_two(builder, arguments, builder.fmul)


@vectors.vector_code(*_PART, *_PART, *_PART, types.intp)
def difference(builder: Any, *arguments: Any) -> None:
    """Differences: to = x − y."""
    _emit_two(builder, arguments, builder.fsub)


def _emit_two(builder: Any, arguments: Sequence[Any], operation: Callable[..., Any]) -> None:
    to, x, y = _pointers(builder, arguments[:6])

    def emit(some: vectors.Chunk) -> None:
        some.store(operation(some.load(x), some.load(y)), to)

    vectors.chunks(builder, arguments[6], emit)


def _pointers(builder: Any, parts: Sequence[Any]) -> list[Any]:
    """Where parts begin."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [builder.gep(part, [first]) for part, first in pairs]


@vectors.vector_code(*_PART, *_PART, *_PART, types.intp, types.intp)
def differ(builder: Any, *arguments: Any) -> None:
    """Differences of neighboring rows in units of σ, the newest first.

    Arguments are parts to `[n − 1, I]`, rows `[n, I]` and σ `[I]`, then n and I.
    """
    (to, rows, spread), (count, inputs) = _pointers(builder, arguments[:6]), arguments[6:]
    one = ir.Constant(vectors.INDEX, 1)
    with vectors.steps(builder, one, count, 1) as row:
        back = builder.sub(builder.sub(count, one), row)
        target = builder.gep(to, [builder.mul(back, inputs)])
        newer = builder.gep(rows, [builder.mul(row, inputs)])
        older = builder.gep(rows, [builder.mul(builder.sub(row, one), inputs)])

        def emit(some: vectors.Chunk) -> None:
            change = builder.fsub(some.load(newer), some.load(older))
            unit = some.load(spread)
            if some.count is not None:  # no division by what is not there
                unit = builder.select(
                    builder.fcmp_ordered('==', unit, some.number(0.0)), some.number(1.0), unit
                )
            some.store(builder.fdiv(change, unit), target)

        vectors.chunks(builder, inputs, emit)


@vectors.vector_code(
    *(*_PART, *_PART, *_PART, *_PART, *_PART, *_PART),
    *(types.intp, types.intp, types.intp, types.intp),
)
def predict(builder: Any, *arguments: Any) -> None:
    """Predict each row of a patch: to = last + σ·(y + Σ_j own[j]·D_j).

    Arguments are parts to `[P, I]`, last `[P, I]`, σ, y `[P, N]`, own `[order, I]` and the
    differences before the first row, the newest first, which begin I elements earlier for each
    row after it; then N, P, order and I.
    """
    outputs, patch, order, inputs = arguments[12:]
    zero, size = ir.Constant(vectors.INDEX, 0), ir.Constant(vectors.INDEX, _ROWS)
    many = builder.mul(builder.udiv(patch, size), size)
    for first, last, rows in ((zero, many, _ROWS), (many, patch, 1)):
        with vectors.steps(builder, first, last, rows) as row:

            def emit(some: vectors.Chunk, row: Any = row, rows: int = rows) -> None:
                numbers = [builder.add(row, ir.Constant(vectors.INDEX, n)) for n in range(rows)]
                parts = _pointers(builder, arguments[:12])
                _emit_predictions(some, parts, numbers, outputs, order, inputs)

            vectors.chunks(builder, inputs, emit)


def _emit_predictions(
    some: vectors.Chunk, parts: Sequence[Any], rows: Sequence[Any], outputs: Any, order: Any,
    inputs: Any,
) -> None:  # fmt: skip
    """Predictions of some rows side by side, so that no sum waits for the one before it."""
    (to, last, spread, y, own, seen), builder = parts, some.builder
    one, weight = ir.Constant(vectors.INDEX, 1), some.load(own)
    lines = [builder.mul(row, inputs) for row in rows]
    before = [some.load(last, line) for line in lines]
    sums = [vectors.variable(builder, builder.fmul(weight, level)) for level in before]
    with vectors.steps(builder, one, order, 1) as lag:
        first = builder.mul(lag, inputs)
        weight, newest = some.load(own, first), builder.sub(first, inputs)
        for line, total in zip(lines, sums, strict=True):
            difference = some.load(seen, builder.sub(newest, line))
            part = builder.fmul(weight, difference, flags=_FUSED)
            builder.store(builder.fadd(builder.load(total), part, flags=_FUSED), total)
    unit = some.load(spread)
    for row, line, level, total in zip(rows, lines, before, sums, strict=True):
        whole = builder.fadd(some.load(y, builder.mul(row, outputs)), builder.load(total))
        scaled = builder.fmul(whole, unit, flags=_FUSED)
        some.store(builder.fadd(scaled, level, flags=_FUSED), to, line)


@vectors.vector_code(
    *(*_PART, *_PART, *_PART),
    *(types.intp, types.intp, types.intp, types.intp, types.intp),
)
def convolve(builder: Any, *arguments: Any) -> None:
    """Add a block's convolution to a token `[d]`, and remember the token as it was.

    Arguments are parts token `[d]`, taps `[kernel, d]` and ring `[reach, d]`, then the place in
    the ring that the token takes from the oldest, reach, dilation, kernel and d.
    """
    token, taps, ring = _pointers(builder, arguments[:6])
    newest, reach, dilation, kernel, width = arguments[6:]
    zero, one = ir.Constant(vectors.INDEX, 0), ir.Constant(vectors.INDEX, 1)
    has_past = builder.icmp_signed('>', reach, zero)

    def emit(some: vectors.Chunk) -> None:
        now = some.load(token)
        own = builder.fmul(some.load(taps), now, flags=_FUSED)
        sums = vectors.variable(builder, builder.fadd(now, own, flags=_FUSED))
        with vectors.steps(builder, one, kernel, 1) as lag:
            then = builder.sub(newest, builder.mul(lag, dilation))
            is_wrapped = builder.icmp_signed('<', then, zero)
            then = builder.select(is_wrapped, builder.add(then, reach), then)
            seen = some.load(ring, builder.mul(then, width))
            part = builder.fmul(some.load(taps, builder.mul(lag, width)), seen, flags=_FUSED)
            builder.store(builder.fadd(builder.load(sums), part, flags=_FUSED), sums)
        with builder.if_then(has_past):
            some.store(now, ring, builder.mul(newest, width))
        some.store(builder.load(sums), token)

    vectors.chunks(builder, width, emit)


@vectors.vector_code(*_PART, *_PART, *_PART, types.float32, types.intp)
def normalize(builder: Any, *arguments: Any) -> None:
    """A token `[d]` at a root mean square of 1, times the gain.

    Arguments are parts to, token and gain, what is added to the mean square, and d.
    """
    to, token, gain = _pointers(builder, arguments[:6])
    floor, width = arguments[6:]
    one = ir.Constant(vectors.FLOAT, 1.0)
    mean = builder.fdiv(_power(builder, token, width), builder.sitofp(width, vectors.FLOAT))
    root = vectors.call(builder, 'llvm.sqrt.f32', vectors.FLOAT, builder.fadd(mean, floor))
    scale = builder.fdiv(one, root)

    def emit(some: vectors.Chunk) -> None:
        value = builder.fmul(some.load(token), vectors.splat(builder, scale, some.width))
        some.store(builder.fmul(value, some.load(gain)), to)

    vectors.chunks(builder, width, emit)


def _power(builder: Any, values: Any, count: Any) -> Any:
    """The sum of squares of so many, a multiple of 8."""
    power: Any = ir.Constant(vectors.FLOAT, 0.0)
    first: Any = ir.Constant(vectors.INDEX, 0)
    for lanes in (32, 8):
        size = ir.Constant(vectors.INDEX, lanes)
        whole = builder.mul(builder.udiv(builder.sub(count, first), size), size)
        last = builder.add(first, whole)
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
    to, gates, values = _pointers(builder, arguments[:6])

    def emit(some: vectors.Chunk) -> None:
        given = some.load(gates)
        below = builder.fadd(some.number(1.0), _exp_of_minus(some, given))
        some.store(builder.fdiv(builder.fmul(given, some.load(values)), below), to)

    vectors.chunks(builder, arguments[6], emit)


def _exp_of_minus(some: vectors.Chunk, value: Any) -> Any:
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


@vectors.vector_code(*_PART, types.intp, result=types.boolean)
def is_finite(builder: Any, x: Any, x_first: Any, count: Any) -> Any:
    """Whether all of so many floats are neither NaN nor infinite."""
    x, bit = builder.gep(x, [x_first]), ir.IntType(1)
    is_good = vectors.variable(builder, ir.Constant(bit, 1))

    def emit(some: vectors.Chunk) -> None:
        bits = builder.bitcast(some.load(x), vectors.vector(vectors.INT32, some.width))
        bits = builder.and_(bits, vectors.constant(vectors.INT32, _MAGNITUDE, some.width))
        limit = vectors.constant(vectors.INT32, _INFINITY, some.width)
        flags = builder.bitcast(builder.icmp_signed('<', bits, limit), ir.IntType(some.width))
        are_good = builder.icmp_unsigned('==', flags, ir.Constant(flags.type, -1))
        builder.store(builder.and_(builder.load(is_good), are_good), is_good)

    vectors.chunks(builder, count, emit)
    return builder.load(is_good)
