"""Differences of neighboring rows on the CPU, and what they predict.

An array is followed by where its part begins. All parts are of float32; those that are written
don't overlap others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.chunks import Chunk, chunks

_FUSED = ('contract',)  # a·b + c may be rounded once
_ROWS = 4  # that are predicted side by side
_PART = (types.Array(types.float32, 1, 'C'), types.intp)


@vectors.vector_code(*_PART, *_PART, *_PART, types.intp, types.intp)
def differ(builder: Any, *arguments: Any) -> None:
    """Differences of neighboring rows in units of σ, the newest first.

    Arguments are parts to `[n − 1, I]`, rows `[n, I]` and σ `[I]`, then n and I.
    """
    (to, rows, spread), (count, inputs) = vectors.pointers(builder, arguments[:6]), arguments[6:]
    one = ir.Constant(vectors.INDEX, 1)
    with vectors.steps(builder, one, count, 1) as row:
        back = builder.sub(builder.sub(count, one), row)
        target = builder.gep(to, [builder.mul(back, inputs)])
        newer = builder.gep(rows, [builder.mul(row, inputs)])
        older = builder.gep(rows, [builder.mul(builder.sub(row, one), inputs)])

        def emit(some: Chunk) -> None:
            change = builder.fsub(some.load(newer), some.load(older))
            unit = some.load(spread)
            if some.count is not None:  # no division by what is not there
                unit = builder.select(
                    builder.fcmp_ordered('==', unit, some.number(0.0)), some.number(1.0), unit
                )
            some.store(builder.fdiv(change, unit), target)

        chunks(builder, inputs, emit)


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
    zero = ir.Constant(vectors.INDEX, 0)
    many = vectors.whole_steps(builder, zero, patch, _ROWS)
    for first, last, rows in ((zero, many, _ROWS), (many, patch, 1)):
        with vectors.steps(builder, first, last, rows) as row:

            def emit(some: Chunk, row: Any = row, rows: int = rows) -> None:
                numbers = [builder.add(row, ir.Constant(vectors.INDEX, n)) for n in range(rows)]
                parts = vectors.pointers(builder, arguments[:12])
                _emit_predictions(some, parts, numbers, outputs, order, inputs)

            chunks(builder, inputs, emit)


def _emit_predictions(
    some: Chunk, parts: Sequence[Any], rows: Sequence[Any], outputs: Any, order: Any,
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
