"""Time-aware INT4 quantization of activations on the CPU: codes and scales bit for bit.

M rows, K inputs (a multiple of G), G group size, a power of two from 8 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.config import Activation
from taolora_ros.kernels import vectors
from taolora_ros.kernels.quantize.reference import LARGEST_PAIR
from taolora_ros.quantization.int4 import LARGEST

STATIC, PER_TOKEN, PER_GROUP, TIME_AWARE = range(4)
MODES = {
    Activation.STATIC: STATIC,
    Activation.PER_TOKEN: PER_TOKEN,
    Activation.PER_GROUP: PER_GROUP,
    Activation.TIME_AWARE: TIME_AWARE,
}

_LEAST = np.finfo(np.float32).tiny  # of a scale, whose inverse is finite
_ROUND = 1.5 * 2.0**23  # added it rounds half to even, up to 2²²
_LONG, _SHORT = 32, 8  # elements of a vector
_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')
_FLAGS = types.Array(types.boolean, 1, 'C')


@vectors.vector_code(
    *(_FLOATS, types.intp, types.intp, types.intp, _FLOATS, _FLAGS),
    *(types.intp, _CODES, _FLOATS),
)
def quantize(
    builder: Any,
    x: Any,
    rows: Any,
    groups: Any,
    size: Any,
    steady: Any,
    is_transient: Any,
    mode: Any,
    codes: Any,
    scales: Any,
) -> None:
    """Round rows to 4 bits.

    Takes x `[M·K]`, M, K/G, G, steady scales `[K/G]`, the mask `[M]`, how scales are chosen (one
    of `MODES`), and codes `[M·K]` and scales `[M·K/G]`, which are overwritten.
    """
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        line = builder.mul(row, groups)
        first, flag = builder.mul(line, size), vectors.flag(builder, is_transient, row)
        line_of, codes_of = builder.gep(x, [first]), builder.gep(codes, [first])
        scales_of = builder.gep(scales, [line])
        emit_rounding(
            builder, line_of, groups, size, steady, flag, mode, codes_of, scales_of
        )  # fmt: skip


def emit_rounding(
    builder: Any,
    x: Any,
    groups: Any,
    size: Any,
    steady: Any,
    is_transient: Any,
    mode: Any,
    codes: Any,
    scales: Any,
    *,
    raised: int = 0,
) -> None:
    """Code that rounds one row.

    Args:
        builder: of LLVM.
        x: pointer to the row, `[K]`.
        groups: K/G.
        size: G.
        steady: pointer to the steady scales, `[K/G]`.
        is_transient: whether the mask is on.
        mode: how scales are chosen, one of `MODES`.
        codes: pointer to `[K]` codes, overwritten.
        scales: pointer to `[K/G]` scales, overwritten.
        raised: added to codes; beyond 127 they wrap around.
    """

    def has(kind: int) -> Any:
        return builder.icmp_signed('==', mode, ir.Constant(vectors.INDEX, kind))

    is_pair = builder.and_(has(TIME_AWARE), is_transient)
    limits = (ir.Constant(vectors.INT32, of) for of in (LARGEST_PAIR, LARGEST))
    limit = builder.select(is_pair, *limits)
    step = builder.fdiv(
        ir.Constant(vectors.FLOAT, 1.0), builder.sitofp(limit, vectors.FLOAT)
    )  # fmt: skip
    with builder.if_else(builder.or_(is_pair, has(PER_GROUP))) as (then, otherwise):
        with then:
            _emit_scales(builder, x, groups, size, step, steady, scales)
        with otherwise, builder.if_else(has(PER_TOKEN)) as (of_token, fixed):
            with of_token:
                inputs = builder.mul(groups, size)
                whole = _emit_largest(builder, x, inputs)
                _emit_scales(builder, x, groups, size, step, steady, scales, whole)
            with fixed:
                _emit_steady(builder, groups, steady, scales)
    _emit_codes(builder, x, groups, size, limit, raised, codes, scales)


def _emit_steady(builder: Any, groups: Any, steady: Any, scales: Any) -> None:
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), groups, 1) as group:
        fixed = vectors.element(builder, steady, group)
        builder.store(fixed, builder.gep(scales, [group]))


def _emit_scales(
    builder: Any,
    x: Any,
    groups: Any,
    size: Any,
    step: Any,
    steady: Any,
    scales: Any,
    whole: Any = None,
) -> None:
    """The scales that the largest magnitudes ask for, unless that is too small.

    `whole` is the largest of the row, where all groups take it.
    """
    least = ir.Constant(vectors.FLOAT, float(_LEAST))

    def emit(group: Any, count: Any) -> None:
        row = builder.gep(x, [builder.mul(group, size)])
        largest = _emit_largest(builder, row, count) if whole is None else whole
        following, fixed = builder.fmul(largest, step), vectors.element(builder, steady, group)
        is_large = builder.fcmp_ordered('>=', following, least)
        builder.store(builder.select(is_large, following, fixed), builder.gep(scales, [group]))

    _each_group(builder, size, groups, emit)


def _emit_codes(
    builder: Any, x: Any, groups: Any, size: Any, limit: Any, raised: int, codes: Any, scales: Any
) -> None:
    """Codes are the last bits of a float that a large number was added to.

    They are clipped as integers, beyond 2²² too: floats have the order of their bits, and negative
    ones negative bits.
    """
    one, shift = ir.Constant(vectors.FLOAT, 1.0), np.float32(_ROUND + raised)
    zero = ir.Constant(vectors.INT32, int(shift.view(np.int32)))
    lowest, highest = builder.sub(zero, limit), builder.add(zero, limit)

    def emit(group: Any, count: Any) -> None:
        first = builder.mul(group, size)
        row, target = builder.gep(x, [first]), builder.gep(codes, [first])
        inverse = builder.fdiv(one, vectors.element(builder, scales, group))
        for begin, end, width in _passes(builder, count):
            by = vectors.splat(builder, inverse, width)
            low, high = (vectors.splat(builder, bits, width) for bits in (lowest, highest))
            with vectors.steps(builder, begin, end, width) as k:
                value = builder.fmul(vectors.load(builder, row, k, width), by)
                value = builder.fadd(value, vectors.constant(vectors.FLOAT, float(shift), width))
                bits = builder.bitcast(value, vectors.vector(vectors.INT32, width))
                bits = _larger(builder, bits, low)
                bits = builder.select(builder.icmp_signed('<', bits, high), bits, high)
                code = builder.trunc(bits, vectors.vector(vectors.INT8, width))
                vectors.store(builder, code, target, k)

    _each_group(builder, size, groups, emit)


def _each_group(builder: Any, size: Any, groups: Any, emit: Callable[[Any, Any], None]) -> None:
    """Code for every group, written once more for the usual size, which needs no loop within."""
    usual = ir.Constant(vectors.INDEX, _LONG)
    with builder.if_else(builder.icmp_signed('==', size, usual)) as (then, otherwise):
        for branch, count in ((then, usual), (otherwise, size)):
            with (
                branch,
                vectors.steps(builder, ir.Constant(vectors.INDEX, 0), groups, 1) as group,
            ):
                emit(group, count)


def _emit_largest(builder: Any, x: Any, count: Any) -> Any:
    """The largest of so many magnitudes.

    Without their sign, floats are in the order of the integers with the same bits.
    """
    most: Any = ir.Constant(vectors.INT32, 0)
    for begin, end, width in _passes(builder, count):
        kind = vectors.vector(vectors.INT32, width)
        magnitude = vectors.constant(vectors.INT32, 0x7FFFFFFF, width)
        found = vectors.variable(builder, vectors.splat(builder, most, width))
        with vectors.steps(builder, begin, end, width) as k:
            bits = builder.bitcast(vectors.load(builder, x, k, width), kind)
            larger = _larger(builder, builder.load(found), builder.and_(bits, magnitude))
            builder.store(larger, found)
        most = _largest_of(builder, builder.load(found))
    return builder.bitcast(most, vectors.FLOAT)


def _passes(builder: Any, count: Any) -> Iterator[tuple[Any, Any, int]]:
    """Where to go in vectors of many elements, and where the rest of 8 each."""
    zero = ir.Constant(vectors.INDEX, 0)
    middle = vectors.whole_steps(builder, zero, count, _LONG)
    yield zero, middle, _LONG
    yield middle, count, _SHORT


def _largest_of(builder: Any, values: Any) -> Any:
    """The largest of a vector's numbers, which stay in vectors to the end."""
    while values.type.count > 4:
        half = values.type.count // 2
        low = vectors.shuffle(builder, values, range(half))
        values = _larger(builder, low, vectors.shuffle(builder, values, range(half, 2 * half)))
    for partners in ([2, 3, 0, 1], [1, 0, 3, 2]):
        values = _larger(builder, values, vectors.shuffle(builder, values, partners))
    return builder.extract_element(values, ir.Constant(vectors.INT32, 0))


def _larger(builder: Any, one: Any, other: Any) -> Any:
    return builder.select(builder.icmp_signed('>', one, other), one, other)
