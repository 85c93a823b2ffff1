"""FP32 and FP16 products of one row with a matrix, for some neighboring outputs at a time.

K inputs (a multiple of 8), N outputs (a multiple of 8), R rank.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from taolora_ros.kernels import vectors
from taolora_ros.kernels.halves import load_halves

LANES = 8  # what N is a multiple of

_WIDTHS = (128, 32, 16, 8)  # outputs of a pass
_RANKS = 8  # ranks of a pass where there are as many
_UNROLLED = 8  # inputs; every group has as many
_LONG = 32  # inputs of a single rank at a time
_CHAINS = 128  # floats summed side by side, so that no sum waits for the one before it
_FUSED = ('contract',)  # a·b + c may be rounded once


def emit_dense(builder: Any, x: Any, inputs: Any, w: Any, outputs: Any, total: Any) -> None:
    """Code of total[n] += Σ_k x[k]·w[k, n]: x `[K]`, K, W `[K, N]`, N, total `[N]`."""
    for n, width in _passes(builder, outputs):
        _emit_sums(builder, (x, inputs, w, outputs, total), n, width, vectors.load, _UNROLLED)


def emit_spread(builder: Any, hidden: Any, ranks: Any, up: Any, outputs: Any, total: Any) -> None:
    """Code of total[n] += Σ_r h[r]·B[r, n]: h `[R]`, R, B `[R, N]` FP16, N, total `[N]`."""
    for n, width in _passes(builder, outputs):
        _emit_sums(builder, (hidden, ranks, up, outputs, total), n, width, load_halves, 1)


def _passes(builder: Any, outputs: Any) -> Any:
    """Yields an index and its number of outputs within the loop for each number."""
    first: Any = ir.Constant(vectors.INDEX, 0)
    for width in _WIDTHS:
        last = vectors.whole_steps(builder, first, outputs, width)
        with vectors.steps(builder, first, last, width) as n:
            yield n, width
        first = last


def _emit_sums(
    builder: Any,
    arguments: Sequence[Any],
    n: Any,
    width: int,
    load: Callable[..., Any],
    unrolled: int,
) -> None:
    x, inputs, w, outputs, total = arguments
    chains = min(unrolled, _CHAINS // width)
    sums = [vectors.variable(builder, vectors.load(builder, total, n, width))]
    for _ in range(1, chains):
        sums.append(vectors.variable(builder, vectors.constant(vectors.FLOAT, 0.0, width)))
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), inputs, unrolled) as chunk:
        for offset in range(unrolled):
            k = builder.add(chunk, ir.Constant(vectors.INDEX, offset))
            value = vectors.splat(builder, vectors.element(builder, x, k), width)
            weights = load(builder, w, builder.add(builder.mul(k, outputs), n), width)
            _add_product(builder, sums[offset % chains], value, weights)
    y = builder.load(sums[0])
    for chain in sums[1:]:
        y = builder.fadd(y, builder.load(chain))
    vectors.store(builder, y, total, n)


def emit_projection(builder: Any, x: Any, inputs: Any, down: Any, ranks: Any, hidden: Any) -> None:
    """Code of h[r] = Σ_k x[k]·A[k, r]: x `[K]`, K, A `[R, K]` FP16 by ranks, R, h `[R]`."""
    zero = ir.Constant(vectors.INDEX, 0)
    whole = vectors.whole_steps(builder, zero, ranks, _RANKS)
    with vectors.steps(builder, zero, whole, _RANKS) as rank:
        vectors.store(builder, _eight_ranks(builder, x, inputs, down, rank), hidden, rank)
    with vectors.steps(builder, whole, ranks, 1) as rank:
        builder.store(_one_rank(builder, x, inputs, down, rank), builder.gep(hidden, [rank]))


def _eight_ranks(builder: Any, x: Any, inputs: Any, down: Any, first: Any) -> Any:
    zero = ir.Constant(vectors.INDEX, 0)
    none = vectors.constant(vectors.FLOAT, 0.0, _UNROLLED)
    sums = [vectors.variable(builder, none) for _ in range(_RANKS)]
    begins = [
        builder.mul(builder.add(first, ir.Constant(vectors.INDEX, rank)), inputs)
        for rank in range(_RANKS)
    ]
    with vectors.steps(builder, zero, inputs, _UNROLLED) as k:
        values = vectors.load(builder, x, k, _UNROLLED)
        for begin, total in zip(begins, sums, strict=True):
            weights = load_halves(builder, down, builder.add(begin, k), _UNROLLED)
            _add_product(builder, total, values, weights)
    parts = [builder.load(total) for total in sums]
    for distance in (4, 2, 1):  # two vectors become one, whose elements are sums of pairs
        low = [place for place in range(2 * _RANKS) if not place & distance]
        high = [place + distance for place in low]
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [
            builder.fadd(
                vectors.shuffle(builder, one, low, other),
                vectors.shuffle(builder, one, high, other),
            )
            for one, other in pairs
        ]
    return parts[0]


def _one_rank(builder: Any, x: Any, inputs: Any, down: Any, rank: Any) -> Any:
    begin = builder.mul(rank, inputs)
    first: Any = ir.Constant(vectors.INDEX, 0)
    whole = vectors.whole_steps(builder, first, inputs, _LONG)
    value: Any = ir.Constant(vectors.FLOAT, 0.0)
    for last, width in ((whole, _LONG), (inputs, _UNROLLED)):
        total = vectors.variable(builder, vectors.constant(vectors.FLOAT, 0.0, width))
        with vectors.steps(builder, first, last, width) as k:
            weights = load_halves(builder, down, builder.add(begin, k), width)
            _add_product(builder, total, vectors.load(builder, x, k, width), weights)
        value = vectors.sum_of(builder, value, builder.load(total))
        first = last
    return value


def _add_product(builder: Any, total: Any, one: Any, other: Any) -> None:
    product = builder.fmul(one, other, flags=_FUSED)
    builder.store(builder.fadd(builder.load(total), product, flags=_FUSED), total)
