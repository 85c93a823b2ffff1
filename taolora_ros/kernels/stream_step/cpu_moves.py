"""Rows that are copied, cleared, added and checked on the CPU.

An array is followed by where its part begins and by the step from a row to the next one; all rows
have as many elements. All parts are of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.chunks import Chunk, chunks

_FLOATS = types.Array(types.float32, 1, 'C')
_ROWS = (_FLOATS, types.intp, types.intp)
_MAGNITUDE, _INFINITY = 0x7FFFFFFF, 0x7F800000  # bits of a float32


@vectors.vector_code(*_ROWS, *_ROWS, types.intp, types.intp)
def place(builder: Any, *arguments: Any) -> None:
    """Copy rows, from the first on: to = x; then their number and that of their elements."""
    *parts, rows, count = arguments
    with _each(builder, parts, rows) as (to, x):
        chunks(builder, count, lambda some: some.store(some.load(x), to))


@vectors.vector_code(*_ROWS, types.intp, types.intp)
def clear(builder: Any, *arguments: Any) -> None:
    """Set rows to 0; after the part come their number and that of their elements."""
    *parts, rows, count = arguments
    with _each(builder, parts, rows) as (to,):
        chunks(builder, count, lambda some: some.store(some.number(0.0), to))


@vectors.vector_code(*_ROWS, *_ROWS, *_ROWS, types.intp, types.intp)
def total(builder: Any, *arguments: Any) -> None:
    """Sums: to = x + y, where to may be one of them; number of rows and of their elements."""
    _emit_two(builder, arguments, builder.fadd)


@vectors.vector_code(*_ROWS, *_ROWS, *_ROWS, types.intp, types.intp)
def product(builder: Any, *arguments: Any) -> None:
    """Products: to = x · y; arguments as of `total`."""
    _emit_two(builder, arguments, builder.fmul)


@vectors.vector_code(*_ROWS, *_ROWS, *_ROWS, types.intp, types.intp)
def difference(builder: Any, *arguments: Any) -> None:
    """Differences: to = x − y; arguments as of `total`."""
    _emit_two(builder, arguments, builder.fsub)


def _emit_two(builder: Any, arguments: Sequence[Any], operation: Callable[..., Any]) -> None:
    *parts, rows, count = arguments
    with _each(builder, parts, rows) as (to, x, y):

        def emit(some: Chunk) -> None:
            some.store(operation(some.load(x), some.load(y)), to)

        chunks(builder, count, emit)


@contextmanager
def _each(builder: Any, parts: Sequence[Any], rows: Any) -> Iterator[list[Any]]:
    """A loop over rows; yields where they begin in the parts."""
    triples = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        yield [
            builder.gep(part, [builder.add(first, builder.mul(row, step))])
            for part, first, step in triples
        ]


@vectors.vector_code(_FLOATS, types.intp, result=types.boolean)
def is_finite(builder: Any, x: Any, count: Any) -> Any:
    """Whether the first elements of an array, so many, are neither NaN nor infinite."""
    is_good = vectors.variable(builder, ir.Constant(ir.IntType(1), 1))

    def emit(some: Chunk) -> None:
        bits = builder.bitcast(some.load(x), vectors.vector(vectors.INT32, some.width))
        bits = builder.and_(bits, vectors.constant(vectors.INT32, _MAGNITUDE, some.width))
        limit = vectors.constant(vectors.INT32, _INFINITY, some.width)
        flags = builder.bitcast(builder.icmp_signed('<', bits, limit), ir.IntType(some.width))
        are_good = builder.icmp_unsigned('==', flags, ir.Constant(flags.type, -1))
        builder.store(builder.and_(builder.load(is_good), are_good), is_good)

    chunks(builder, count, emit)
    return builder.load(is_good)
