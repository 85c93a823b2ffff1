"""Q4(X)·Q4(W) of some rows, a few rows and neighboring outputs at a time.

Their sums stay in registers through all inputs, and the weights that were fetched serve all of
the rows. How integers are multiplied is `kernels.dots`'; every sum is exact, so rows give the same
bits alone and together.

M rows, K inputs, N outputs (a multiple of 8), G group size (8 or a larger power of two).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from taolora_ros.kernels import vectors
from taolora_ros.kernels.dots import INPUTS, TIMES, Sums, Unit

_FUSED = ('contract',)  # a·b + c may be rounded once


@dataclass(frozen=True)
class Rows:
    """Operands of a product: pointers and numbers of LLVM's."""

    q: Any  # [M, K] int8 codes, raised as the unit asks
    s: Any  # [M, K/G] what a code of 1 is worth
    rows: Any  # M
    groups: Any  # K/G
    size: Any  # G
    w: Any  # [K/8, N, 4] int8, two codes each
    sums: Any  # [K/G, N] int16 −Σ_{k in g} w[k, n]
    t: Any  # [K/G, N] a sixteenth of what a code of 1 is worth
    bias: Any  # [N]
    outputs: Any  # N
    y: Any  # [M, N] overwritten


def emit_products(builder: Any, unit: Unit, given: Rows) -> None:
    """Code of y[m, n] = bias[n] + Σ_g s[m, g]·t[g, n]·Σ_{k in g} q[m, k]·w[k, n], 16 in t."""
    zero: Any = ir.Constant(vectors.INDEX, 0)
    first, many = zero, vectors.whole_steps(builder, zero, given.rows, unit.rows)
    for width in unit.widths:
        last = vectors.whole_steps(builder, first, given.outputs, width)
        with vectors.steps(builder, first, last, width) as n:
            with vectors.steps(builder, zero, many, unit.rows) as row:
                _emit(builder, given, unit, row, unit.rows, n, width)
            with vectors.steps(builder, many, given.rows, 1) as row:
                _emit(builder, given, unit, row, 1, n, width)
        first = last


def _emit(
    builder: Any, given: Rows, unit: Unit, first: Any, rows: int, n: Any, width: int
) -> None:
    """The product of some rows with the weights of some outputs."""
    pieces = _pieces(width, unit.lanes)
    numbers = [builder.add(first, ir.Constant(vectors.INDEX, row)) for row in range(rows)]
    eights = builder.udiv(given.size, ir.Constant(vectors.INDEX, INPUTS))
    inputs = builder.mul(given.groups, given.size)
    codes = [builder.gep(given.q, [builder.mul(number, inputs)]) for number in numbers]
    columns = [builder.add(n, ir.Constant(vectors.INDEX, offset)) for offset, _ in pieces]
    widths = [lanes for _, lanes in pieces]

    def weights(place: int, eight: Any) -> Any:
        column = builder.add(builder.mul(eight, given.outputs), columns[place])
        column = builder.mul(column, ir.Constant(vectors.INDEX, 4))
        packed = vectors.load(builder, given.w, column, 4 * widths[place])
        return builder.bitcast(packed, vectors.vector(vectors.INT32, widths[place]))

    def row_codes(row: int, eight: Any) -> Any:
        return builder.gep(codes[row], [builder.mul(eight, ir.Constant(vectors.INDEX, INPUTS))])

    biases = [
        vectors.load(builder, given.bias, *at) for at in zip(columns, widths, strict=True)
    ]  # fmt: skip
    totals = [[vectors.variable(builder, bias) for bias in biases] for _ in numbers]
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), given.groups, 1) as group:
        places = [builder.add(builder.mul(m, given.groups), group) for m in numbers]
        line = builder.mul(group, given.outputs)
        starts = [
            _start(builder, given, unit, builder.add(line, column), lanes)
            for column, lanes in zip(columns, widths, strict=True)
        ]
        sums = [[vectors.variable(builder, start) for start in starts] for _ in numbers]
        begin = builder.mul(group, eights)
        unit.add(builder, sums, begin, builder.add(begin, eights), weights, row_codes)
        scales = [
            vectors.load(builder, given.t, builder.add(line, column), lanes)
            for column, lanes in zip(columns, widths, strict=True)
        ]
        worths = [vectors.element(builder, given.s, place) for place in places]
        _scale(builder, worths, scales, sums, totals)
    for number, row_totals in zip(numbers, totals, strict=True):
        line = builder.mul(number, given.outputs)
        for column, total in zip(columns, row_totals, strict=True):
            vectors.store(builder, builder.load(total), given.y, builder.add(line, column))


def _start(builder: Any, given: Rows, unit: Unit, place: Any, lanes: int) -> Any:
    """What sums start at, −16·raised·Σw."""
    if not unit.raised:
        return vectors.constant(vectors.INT32, 0, lanes)
    sums = builder.bitcast(given.sums, vectors.INT16.as_pointer())
    sums = vectors.load(builder, sums, place, lanes)
    wide = builder.sext(sums, vectors.vector(vectors.INT32, lanes))
    return builder.mul(wide, vectors.constant(vectors.INT32, TIMES * unit.raised, lanes))


def _scale(
    builder: Any, worths: Sequence[Any], scales: Sequence[Any], sums: Sums, totals: Sums
) -> None:
    """Add s · t · sum to totals."""
    factors = _factors(builder, worths, scales)
    for row_factors, row_sums, row_totals in zip(factors, sums, totals, strict=True):
        for factor, part, total in zip(row_factors, row_sums, row_totals, strict=True):
            value = builder.sitofp(builder.load(part), factor.type)
            scaled = builder.fmul(value, factor, flags=_FUSED)
            builder.store(builder.fadd(builder.load(total), scaled, flags=_FUSED), total)


def _factors(builder: Any, worths: Sequence[Any], scales: Sequence[Any]) -> list[list[Any]]:
    """Of each row s · t, worked out once where all have s in common, as steady rows do.

    The sums that they scale are left to what follows, as only within one stretch of code a
    product and a sum become one instruction, which rounds once.
    """
    first, *others = worths
    one = [builder.fmul(vectors.splat(builder, first, t.type.count), t) for t in scales]
    if not others:
        return [one]
    is_common = ir.Constant(ir.IntType(1), 1)
    for worth in others:
        is_common = builder.and_(is_common, builder.fcmp_ordered('==', worth, first))
    begin = builder.basic_block
    with builder.if_then(builder.not_(is_common)):
        own = [
            [builder.fmul(vectors.splat(builder, worth, t.type.count), t) for t in scales]
            for worth in others
        ]
        end = builder.basic_block
    chosen = [one]
    for row in own:
        chosen.append([])
        for factor, common in zip(row, one, strict=True):
            choice = builder.phi(factor.type)
            choice.add_incoming(common, begin)
            choice.add_incoming(factor, end)
            chosen[-1].append(choice)
    return chosen


def _pieces(width: int, lanes: int) -> list[tuple[int, int]]:
    """Registers that make up a width, by where they begin: the last one may be a shorter one."""
    return [(first, min(lanes, width - first)) for first in range(0, width, lanes)]
