"""What a hop of the GPU reads and writes of streams: rows, tokens of convolutions, answers.

Letters as in `gpu`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from taolora_ros.kernels.stream_step.gpu_plan import (
    FIELD_DILATION,
    FIELD_INPUTS,
    FIELD_KERNEL,
    FIELD_OUTPUTS,
    FIELD_RING,
    FIELD_SOURCE,
    FIELD_TAPS,
    KIND_DIFFERENCE,
    KIND_PADDING,
    LAYER_HEAD,
    LAYER_SKIP,
    SIZE_HISTORY,
    SIZE_INPUTS,
    SIZE_LEVELS,
    SIZE_ORDER,
    SIZE_OWN,
    SIZE_PATCH,
    SIZE_SPREAD,
    SIZE_STREAMS,
    SIZE_WIDEST_16,
    SIZE_WIDTH,
    field,
    number,
    offset,
)


@triton.jit
def _row(
    plan_ptr, patches_ptr, rows_ptr, stream, start, depth, back, column, is_in,
):  # fmt: skip
    """Inputs of rows, `back` rows before the patch's first one; 0 and below are in the patch.

    Args:
        plan_ptr: the plan.
        patches_ptr: `[S, P, I]` float32.
        rows_ptr: `[S, H, I]` float32, H a power of two: row t at t modulo H.
        stream: `[M, 1]` int32.
        start: `[M, 1]` int32, t of the patch's first row, modulo H.
        depth: `[M, 1]` int32, rows that the segment has before the patch, or H if more.
        back: `[M, K]` int32; before the segment's first row there is only that row.
        column: `[M, K]` int32.
        is_in: `[M, K]` int1, what is read; the rest is 0.
    """
    patch, inputs = number(plan_ptr, SIZE_PATCH), number(plan_ptr, SIZE_INPUTS)
    history = number(plan_ptr, SIZE_HISTORY)
    back = tl.minimum(back, depth)
    is_new = back <= 0
    at = (stream * patch - back) * inputs + column
    new = tl.load(patches_ptr + at, is_in & is_new, 0.0)
    at = (stream * history + ((start - back) & (history - 1))) * inputs + column
    old = tl.load(rows_ptr + at, is_in & (back > 0), 0.0)
    return tl.where(is_new, new, old)


@triton.jit
def gather(
    plan_ptr, floats_ptr, patches_ptr, rows_ptr, x_ptr, layer,
    stream, place, start, depth, is_row, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write a layer's inputs, levels and differences of rows, to scratch `[16, W]` float32.

    `place` `[16]` is the row's place in its patch; stream, start, depth `[16]` as in `_row`.
    """
    inputs, source = field(plan_ptr, layer, FIELD_INPUTS), field(plan_ptr, layer, FIELD_SOURCE)
    wide = number(plan_ptr, SIZE_WIDEST_16) * 16
    spread_ptr = floats_ptr + number(plan_ptr, SIZE_SPREAD) * 16
    row = tl.arange(0, 16)[:, None]
    for first in range(0, inputs, COLUMNS):
        k = first + tl.arange(0, COLUMNS)
        is_k = k < inputs
        kind = tl.load(plan_ptr + source + 3 * k, is_k, 0)
        lag = tl.load(plan_ptr + source + 3 * k + 1, is_k, 0)
        column = tl.load(plan_ptr + source + 3 * k + 2, is_k, 0)[None, :]
        back = lag[None, :] - place[:, None]
        is_in = is_row[:, None] & (kind != KIND_PADDING)[None, :]
        is_step = (kind == KIND_DIFFERENCE)[None, :]
        now = _row(
            plan_ptr, patches_ptr, rows_ptr, stream[:, None], start[:, None], depth[:, None],
            back, column, is_in,
        )  # fmt: skip
        before = _row(
            plan_ptr, patches_ptr, rows_ptr, stream[:, None], start[:, None], depth[:, None],
            back + 1, column, is_in & is_step,
        )  # fmt: skip
        spread = tl.load(spread_ptr + column, is_step, 1.0)
        x = tl.where(is_step, tl.div_rn(now - before, tl.broadcast_to(spread, now.shape)), now)
        tl.store(x_ptr + row * wide + k[None, :], x, is_k[None, :])


@triton.jit
def convolve(
    plan_ptr, floats_ptr, tokens_ptr, layer, hidden_ptr, sum_ptr, stream, hops, is_row,
    CHUNK: tl.constexpr,
):  # fmt: skip
    """Write h + c to scratch, c the block's convolution; h is kept for the tokens to come."""
    width, wide = number(plan_ptr, SIZE_WIDTH), number(plan_ptr, SIZE_WIDEST_16) * 16
    ring, dilation = field(plan_ptr, layer, FIELD_RING), field(plan_ptr, layer, FIELD_DILATION)
    taps_ptr = floats_ptr + offset(plan_ptr, layer, FIELD_TAPS)
    row = tl.arange(0, 16)[:, None]
    for first in range(0, width, CHUNK):
        k = first + tl.arange(0, CHUNK)
        is_k = k < width
        is_in = is_row[:, None] & is_k[None, :]
        hidden = tl.load(hidden_ptr + row * wide + k[None, :], is_k[None, :], 0.0)
        total = tl.load(taps_ptr + k, is_k, 0.0)[None, :] * hidden
        for lag in range(1, field(plan_ptr, layer, FIELD_KERNEL)):
            token = hops - lag * dilation
            slot = (stream * ring + (token & (ring - 1)))[:, None]
            past_at = slot * width + k[None, :]
            past = tl.load(tokens_ptr + past_at, is_in & (token >= 0)[:, None], 0.0)
            total += tl.load(taps_ptr + lag * width + k, is_k, 0.0)[None, :] * past
        slot = (stream * ring + (hops & (ring - 1)))[:, None]
        tl.store(tokens_ptr + slot * width + k[None, :], hidden, is_in)
        tl.store(sum_ptr + row * wide + k[None, :], hidden + total, is_k[None, :])


@triton.jit
def answer(
    plan_ptr, floats_ptr, patches_ptr, prediction_ptr, departure_ptr, rows_ptr, pending_ptr, x_ptr,
    layer, y, n, stream, place, hops, start, is_row,
):  # fmt: skip
    """Turn outputs n of skip, relation or head into what leaves the network, and write it.

    The skip also keeps the patch. It writes where no role reads in the same hop: H is at least
    what is read back plus P.
    """
    streams, patch, inputs = (
        number(plan_ptr, SIZE_STREAMS),
        number(plan_ptr, SIZE_PATCH),
        number(plan_ptr, SIZE_INPUTS),
    )
    history, wide = number(plan_ptr, SIZE_HISTORY), number(plan_ptr, SIZE_WIDEST_16) * 16
    outputs = field(plan_ptr, layer, FIELD_OUTPUTS)
    spread_ptr = floats_ptr + number(plan_ptr, SIZE_SPREAD) * 16
    is_n = n < outputs
    is_out = is_row[:, None] & is_n[None, :]
    at = (stream * patch + place)[:, None]
    odd = (hops & 1).to(tl.int32)[:, None]
    if layer == LAYER_HEAD:
        y *= tl.load(spread_ptr + n % inputs)[None, :]
        next_at = ((1 - odd) * streams + stream[:, None]) * outputs + n[None, :]
        tl.store(pending_ptr + next_at, y, is_out)
    else:
        now = tl.load(patches_ptr + at * inputs + n[None, :], is_out, 0.0)
        if layer == LAYER_SKIP:
            own_ptr = floats_ptr + number(plan_ptr, SIZE_OWN) * 16
            x_at = x_ptr + tl.arange(0, 16)[:, None] * wide + n[None, :]
            last = tl.load(x_at, is_out, 0.0)
            y += tl.load(own_ptr + n, is_n, 0.0)[None, :] * last
            for lag in range(1, number(plan_ptr, SIZE_ORDER)):
                own = tl.load(own_ptr + lag * inputs + n, is_n, 0.0)[None, :]
                column = number(plan_ptr, SIZE_LEVELS) + (lag - 1) * inputs
                y += own * tl.load(x_at + column, is_out, 0.0)
            y = last + tl.load(spread_ptr + n, is_n, 0.0)[None, :] * y
            pending_at = (odd * streams * patch + at) * inputs + n[None, :]
            y += tl.load(pending_ptr + pending_at, is_out & (hops > 0)[:, None], 0.0)
            tl.store(prediction_ptr + at * inputs + n[None, :], y, is_out)
            slot = (start + place) & (history - 1)
            row_at = (stream * history + slot)[:, None] * inputs + n[None, :]
            tl.store(rows_ptr + row_at, now, is_out)
        else:
            tl.store(departure_ptr + at * outputs + n[None, :], now - y, is_out)
