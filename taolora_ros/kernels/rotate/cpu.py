"""Smoothing and rotation on the CPU: the same sums as the reference, stage by stage.

The stages within 8 or 32 neighbors are done in a vector of so many elements: each element takes
its partner, itself added or taken away. M rows, K inputs, G group size, a power of two from 8 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors

_LONG, _SHORT = 32, 8  # elements of a vector
_REGISTER = 16  # of the widest register: farther partners lie at the same place of another one
_FUSED = ('contract',)  # a·b + c may be rounded once
_FLOATS = types.Array(types.float32, 1, 'C')


@vectors.vector_code(_FLOATS, types.intp, _FLOATS, types.intp, types.intp, _FLOATS)
def rotate(
    builder: Any, x: Any, rows: Any, units: Any, inputs: Any, group: Any, turned: Any
) -> None:
    """Smooth and rotate rows: x `[M·K]`, M, units `[K]`, K, G and what is overwritten `[M·K]`."""
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        first = builder.mul(row, inputs)
        line, target = builder.gep(x, [first]), builder.gep(turned, [first])
        emit_rotation(builder, line, inputs, units, inputs, group, target)


def emit_rotation(
    builder: Any, x: Any, count: Any, units: Any, inputs: Any, group: Any, turned: Any
) -> None:
    """Code that smooths and rotates one row.

    Args:
        builder: of LLVM.
        x: pointer to the row.
        count: of its elements; the rest of the K is 0 and not read.
        units: pointer to its units `[K]`.
        inputs: K.
        group: G.
        turned: pointer to `[K]` floats, overwritten.
    """
    is_long = builder.icmp_signed('>=', group, ir.Constant(vectors.INDEX, _LONG))
    with builder.if_else(is_long) as (then, otherwise):
        with then:
            _turn(builder, x, count, units, inputs, turned, _LONG)
            _combine(builder, inputs, group, turned, _LONG, (32, 64, 128))
        with otherwise:
            _turn(builder, x, count, units, inputs, turned, _SHORT)
            _combine(builder, inputs, group, turned, _SHORT, (8,))


def _turn(
    builder: Any, x: Any, count: Any, units: Any, inputs: Any, turned: Any, width: int
) -> None:
    """The stages within vectors."""
    zero = ir.Constant(vectors.INDEX, 0)
    whole = vectors.whole_steps(builder, zero, count, width)
    with vectors.steps(builder, zero, whole, width) as k:
        _turn_vector(builder, vectors.load(builder, x, k, width), units, k, turned)
    with vectors.steps(builder, whole, inputs, width) as k:
        _turn_vector(builder, vectors.load_some(builder, x, k, width, count), units, k, turned)


def _turn_vector(builder: Any, values: Any, units: Any, k: Any, turned: Any) -> None:
    width, distance = values.type.count, 1
    now = builder.fmul(values, vectors.load(builder, units, k, width))
    while distance < min(width, _REGISTER):
        signs = [-1.0 if place & distance else 1.0 for place in range(width)]
        sign = vectors.constant(vectors.FLOAT, signs, width)
        signed = builder.fmul(now, sign, flags=_FUSED)  # exact, so that fusing changes nothing
        partners = vectors.shuffle(builder, now, [place ^ distance for place in range(width)])
        now = builder.fadd(partners, signed, flags=_FUSED)
        distance *= 2
    if width > _REGISTER:
        one = vectors.shuffle(builder, now, range(_REGISTER))
        other = vectors.shuffle(builder, now, range(_REGISTER, width))
        both = builder.fadd(one, other), builder.fsub(one, other)
        now = vectors.shuffle(builder, both[0], range(width), both[1])
    vectors.store(builder, now, turned, k)


def _combine(
    builder: Any, inputs: Any, group: Any, turned: Any, width: int, distances: Sequence[int]
) -> None:
    """The stages between vectors."""
    for distance in distances:
        apart = ir.Constant(vectors.INDEX, distance)
        with builder.if_then(builder.icmp_signed('>', group, apart)):
            zero = ir.Constant(vectors.INDEX, 0)
            with vectors.steps(builder, zero, inputs, 2 * distance) as first:
                last = builder.add(first, apart)
                with vectors.steps(builder, first, last, width) as k:
                    partner = builder.add(k, apart)
                    one = vectors.load(builder, turned, k, width)
                    other = vectors.load(builder, turned, partner, width)
                    vectors.store(builder, builder.fadd(one, other), turned, k)
                    vectors.store(builder, builder.fsub(one, other), turned, partner)
