"""Products of one row with a matrix, for some neighboring outputs at a time.

|S| of 32 inputs is at most 32·98·7 = 21,952 and fits int16; larger groups are summed 32 inputs at
a time, and these parts exactly in float32.

K inputs, N outputs, R rank, G group size (8 or a larger power of two).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors

LANES = 32  # outputs of one pass
WIDE = 128  # where there are as many
RANKS = 8  # ranks of one pass

_INPUTS = 32  # whose products' sum fits int16
_UNROLLED = 8  # inputs; every group has as many
_CHAINS = 128  # floats summed side by side, so that no sum waits for the one before it
_FUSED = ('contract',)  # a·b + c may be rounded once
_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')


def _emit_product(builder: Any, arguments: Sequence[Any], width: int) -> None:
    """total[n…] += Σ_g s[g]·t[g, n]·Σ_k q[k]·w[k, n] for `width` outputs."""
    q, s, groups, size, w, t, outputs, n, total = arguments
    zero, most = ir.Constant(vectors.INDEX, 0), ir.Constant(vectors.INDEX, _INPUTS)
    short, wide = vectors.vector(vectors.INT16, width), vectors.vector(vectors.FLOAT, width)
    span = builder.select(builder.icmp_signed('<', size, most), size, most)
    y = vectors.variable(builder, vectors.load(builder, total, n, width))
    with vectors.steps(builder, zero, groups, 1) as group:
        part = vectors.variable(builder, vectors.constant(vectors.FLOAT, 0.0, width))
        first = builder.mul(group, size)
        last = builder.add(first, size)
        with vectors.steps(builder, first, last, span) as start:
            sums = vectors.variable(builder, vectors.constant(vectors.INT16, 0, width))
            stop = builder.add(start, span)
            with vectors.steps(builder, start, stop, _UNROLLED) as chunk:
                for offset in range(_UNROLLED):
                    k = builder.add(chunk, ir.Constant(vectors.INDEX, offset))
                    code = builder.sext(vectors.element(builder, q, k), vectors.INT16)
                    place = builder.add(builder.mul(k, outputs), n)
                    weights = builder.sext(vectors.load(builder, w, place, width), short)
                    product = builder.mul(vectors.splat(builder, code, width), weights)
                    builder.store(builder.add(builder.load(sums), product), sums)
            more = builder.sitofp(builder.load(sums), wide)
            builder.store(builder.fadd(builder.load(part), more), part)
        place = builder.add(builder.mul(group, outputs), n)
        scale = vectors.splat(builder, vectors.element(builder, s, group), width)
        scale = builder.fmul(scale, vectors.load(builder, t, place, width))
        scaled = builder.fmul(builder.load(part), scale, flags=_FUSED)
        builder.store(builder.fadd(builder.load(y), scaled, flags=_FUSED), y)
    vectors.store(builder, builder.load(y), total, n)


def _emit_dense(
    builder: Any, arguments: Sequence[Any], width: int, load: Callable[..., Any] = vectors.load
) -> None:
    """total[n…] += Σ_k x[k]·w[k, n] for `width` outputs, in several sums side by side."""
    x, inputs, w, outputs, n, total = arguments
    zero = ir.Constant(vectors.INDEX, 0)
    chains = min(_UNROLLED, _CHAINS // width)
    sums = [vectors.variable(builder, vectors.load(builder, total, n, width))]
    for _ in range(1, chains):
        sums.append(vectors.variable(builder, vectors.constant(vectors.FLOAT, 0.0, width)))
    with vectors.steps(builder, zero, inputs, _UNROLLED) as chunk:
        for offset in range(_UNROLLED):
            k = builder.add(chunk, ir.Constant(vectors.INDEX, offset))
            value = vectors.splat(builder, vectors.element(builder, x, k), width)
            weights = load(builder, w, builder.add(builder.mul(k, outputs), n), width)
            product = builder.fmul(value, weights, flags=_FUSED)
            chain = sums[offset % chains]
            builder.store(builder.fadd(builder.load(chain), product, flags=_FUSED), chain)
    y = builder.load(sums[0])
    for chain in sums[1:]:
        y = builder.fadd(y, builder.load(chain))
    vectors.store(builder, y, total, n)


_PRODUCT = (
    *(_CODES, _FLOATS, types.intp, types.intp),
    *(_CODES, _FLOATS, types.intp, types.intp, _FLOATS),
)
_DENSE = (_FLOATS, types.intp, _FLOATS, types.intp, types.intp, _FLOATS)
_PROJECT = (_FLOATS, types.intp, _FLOATS, types.intp, _FLOATS)


@vectors.vector_code(*_PRODUCT)
def product(builder: Any, *arguments: Any) -> None:
    _emit_product(builder, arguments, LANES)


@vectors.vector_code(*_PRODUCT)
def product_wide(builder: Any, *arguments: Any) -> None:
    _emit_product(builder, arguments, WIDE)


@vectors.vector_code(*_PROJECT)
def project(builder: Any, x: Any, inputs: Any, down: Any, rank: Any, hidden: Any) -> None:
    """hidden[rank…] = Σ_k x[k]·A[k, rank] for 8 ranks in FP16, two inputs in one vector."""
    zero, pair = ir.Constant(vectors.INDEX, 0), [0] * RANKS + [1] * RANKS
    none = vectors.constant(vectors.FLOAT, 0.0, 2 * RANKS)
    chains = [vectors.variable(builder, none) for _ in range(_UNROLLED // 2)]
    first = builder.mul(rank, inputs)  # ranks lie in blocks of 8
    with vectors.steps(builder, zero, inputs, _UNROLLED) as chunk:
        values = vectors.load(builder, x, chunk, _UNROLLED)
        for half, chain in enumerate(chains):
            k = builder.add(chunk, ir.Constant(vectors.INDEX, 2 * half))
            place = builder.add(first, builder.mul(k, ir.Constant(vectors.INDEX, RANKS)))
            weights = vectors.load_halves(builder, down, place, 2 * RANKS)
            spread = vectors.shuffle(builder, values, [2 * half + one for one in pair])
            product = builder.fmul(spread, weights, flags=_FUSED)
            builder.store(builder.fadd(builder.load(chain), product, flags=_FUSED), chain)
    total = builder.load(chains[0])
    for chain in chains[1:]:
        total = builder.fadd(total, builder.load(chain))
    halves = [vectors.shuffle(builder, total, range(o, o + RANKS)) for o in (0, RANKS)]
    vectors.store(builder, builder.fadd(*halves), hidden, rank)


@vectors.vector_code(*_DENSE)
def dense(builder: Any, *arguments: Any) -> None:
    _emit_dense(builder, arguments, LANES)


@vectors.vector_code(*_DENSE)
def dense_wide(builder: Any, *arguments: Any) -> None:
    _emit_dense(builder, arguments, WIDE)


@vectors.vector_code(*_DENSE)
def spread(builder: Any, *arguments: Any) -> None:
    _emit_dense(builder, arguments, LANES, vectors.load_halves)


@vectors.vector_code(*_DENSE)
def spread_wide(builder: Any, *arguments: Any) -> None:
    _emit_dense(builder, arguments, WIDE, vectors.load_halves)
