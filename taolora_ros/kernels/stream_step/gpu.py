"""One hop of the network for S streams on the GPU, in one launch.

The formula is that of `reference`. A program serves up to 16 streams, the rows of one tensor-core
tile, and plays one of three roles, side by side on different multiprocessors: skip, correction or
relation. No role waits for another: what the correction says of the next patch lies in one of two
buffers by the parity of the hop, rows of the patch are read where they arrive, and each role
counts its own hops. Between layers a program passes activations to itself through a scratch
buffer that stays in L1 and L2, with a barrier of its own threads.

Shapes, offsets and the inputs of each layer are data, not constants: one binary serves every
model of the same group, rank and activation, and the loop over blocks is a loop. Weights lie in
three arenas, one a type, in the order in which they are read. All state is on the device; a hop
takes a patch and a mask there and brings a prediction and a departure back.

S streams, P rows a patch, I inputs a row, C channels, K inputs and N outputs of a layer, R rank,
d features, E hidden features, B blocks, G group size, W the widest layer, H rows of history.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import numpy as np
import torch
import triton
import triton.language as tl
from triton.errors import TritonError

from taolora_ros.config import Activation
from taolora_ros.errors import DeviceError
from taolora_ros.kernels.compilation.gpu import Variant
from taolora_ros.kernels.dual_path_linear.gpu import group_sums, silu
from taolora_ros.kernels.quantize.gpu import MODES, PER_TOKEN, halves, largest_of_groups, rounded
from taolora_ros.kernels.rotate.gpu import rotated
from taolora_ros.kernels.stream_step.operands import StreamOperands
from taolora_ros.kernels.stream_step.plan import CHUNK, Field, Kind, Place, Size, plan
from taolora_ros.samples import Bools, Float32s

ROLES = 3
STREAMS = 16  # of a program
LARGEST_GROUP = 64  # beyond it, registers spill on Orin however the kernel is cut

# What a device, its driver, the compiler and the tools that it calls raise; torch asserts that it
# was built for CUDA.
_FAILURES = (RuntimeError, AssertionError, OSError, subprocess.SubprocessError, TritonError)

# Triton reads globals only if they are constants of its own.
_S, _P, _I, _C, _ORDER, _H, _W, _D, _E_16, _BLOCKS, _SPREAD, _OWN, _FLOOR, _LEVELS, _E = (
    tl.constexpr(int(place)) for place in Size
)
_LAYERS = tl.constexpr(len(Size))
_FIELDS = tl.constexpr(len(Field))
_INPUTS, _OUTPUTS, _STRIDE, _UNITS, _STEADY, _PACKED, _SCALES, _DOWN, _UP, _BIAS = (
    tl.constexpr(int(place)) for place in list(Field)[:10]
)
_GAIN, _SOURCE, _TAPS, _KERNEL, _DILATION, _RING, _IS_WIDE = (
    tl.constexpr(int(place)) for place in list(Field)[10:]
)
_SKIP, _RELATION, _EMBED, _HEAD, _FIRST_BLOCK = (tl.constexpr(int(place)) for place in Place)
_PADDING, _ROW, _DIFFERENCE = (tl.constexpr(int(kind)) for kind in Kind)


@triton.jit
def _size(plan_ptr: tl.tensor, SIZE: tl.constexpr) -> tl.tensor:
    return tl.load(plan_ptr + SIZE)


@triton.jit
def _field(plan_ptr: tl.tensor, layer: tl.tensor, FIELD: tl.constexpr) -> tl.tensor:
    return tl.load(plan_ptr + _LAYERS + layer * _FIELDS + FIELD)


@triton.jit
def _offset(plan_ptr: tl.tensor, layer: tl.tensor, FIELD: tl.constexpr) -> tl.tensor:
    """Where in its arena a part of a layer begins: known to be a multiple of 16."""
    return _field(plan_ptr, layer, FIELD) * 16


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
    patch, inputs = _size(plan_ptr, _P), _size(plan_ptr, _I)
    history = _size(plan_ptr, _H)
    back = tl.minimum(back, depth)
    is_new = back <= 0
    at = (stream * patch - back) * inputs + column
    new = tl.load(patches_ptr + at, is_in & is_new, 0.0)
    at = (stream * history + ((start - back) & (history - 1))) * inputs + column
    old = tl.load(rows_ptr + at, is_in & (back > 0), 0.0)
    return tl.where(is_new, new, old)


@triton.jit
def _gather(
    plan_ptr, floats_ptr, patches_ptr, rows_ptr, x_ptr, layer,
    stream, place, start, depth, is_row, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write a layer's inputs, levels and differences of rows, to scratch `[16, W]` float32.

    `place` `[16]` is the row's place in its patch; stream, start, depth `[16]` as in `_row`.
    """
    inputs, source = _field(plan_ptr, layer, _INPUTS), _field(plan_ptr, layer, _SOURCE)
    wide = _size(plan_ptr, _W) * 16
    spread_ptr = floats_ptr + _size(plan_ptr, _SPREAD) * 16
    row = tl.arange(0, 16)[:, None]
    for first in range(0, inputs, COLUMNS):
        k = first + tl.arange(0, COLUMNS)
        is_k = k < inputs
        kind = tl.load(plan_ptr + source + 3 * k, is_k, 0)
        lag = tl.load(plan_ptr + source + 3 * k + 1, is_k, 0)
        column = tl.load(plan_ptr + source + 3 * k + 2, is_k, 0)[None, :]
        back = lag[None, :] - place[:, None]
        is_in = is_row[:, None] & (kind != _PADDING)[None, :]
        is_step = (kind == _DIFFERENCE)[None, :]
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
def _round(
    plan_ptr, floats_ptr, halves_ptr, x_ptr, codes_ptr, scales_ptr, layer, is_gated, is_normalized,
    is_transient, takes_both, GROUP: tl.constexpr, RANK: tl.constexpr, MODE: tl.constexpr,
    COLUMNS: tl.constexpr,
):  # fmt: skip
    """Smooth, rotate and round a layer's inputs in scratch; returns x·A `[16, R]` float32.

    Before, they are gated, or scaled to a root mean square of 1 and by the layer's gain, as the
    flags say.
    """
    inputs = _field(plan_ptr, layer, _INPUTS)
    groups = inputs // GROUP
    wide = _size(plan_ptr, _W) * 16
    both_nibbles = is_transient | (_field(plan_ptr, layer, _IS_WIDE) != 0)
    steady_ptr = floats_ptr + _offset(plan_ptr, layer, _STEADY)
    down_ptr = halves_ptr + _offset(plan_ptr, layer, _DOWN)
    PADDED: tl.constexpr = RANK if RANK > 0 else 16
    row = tl.arange(0, 16)[:, None]
    column = tl.arange(0, COLUMNS)
    group = tl.arange(0, COLUMNS // GROUP)
    size = tl.full((16,), 1.0, tl.float32)
    if is_normalized:
        power = tl.zeros((16,), tl.float32)
        for first in range(0, inputs, COLUMNS):
            k = first + column
            x = tl.load(x_ptr + row * wide + k[None, :], (k < inputs)[None, :], 0.0)
            power += tl.sum(x * x, axis=1)
        mean = tl.div_rn(power, tl.broadcast_to(inputs.to(tl.float32), power.shape))
        size = tl.sqrt_rn(mean + tl.load(floats_ptr + _size(plan_ptr, _FLOOR) * 16))
    of_row = tl.zeros((16, COLUMNS // GROUP), tl.float32)
    if MODE == PER_TOKEN:
        for first in range(0, inputs, COLUMNS):
            u = _turned(
                plan_ptr, floats_ptr, x_ptr, layer, is_gated, is_normalized, size, first + column,
                GROUP,
            )  # fmt: skip
            largest = tl.max(tl.abs(u), axis=1)
            of_row = tl.maximum(of_row, tl.broadcast_to(largest[:, None], of_row.shape))
    low = tl.zeros((16, PADDED), tl.float32)
    r = tl.arange(0, PADDED)
    for first in range(0, inputs, COLUMNS):
        k = first + column
        is_k = k < inputs
        u = _turned(plan_ptr, floats_ptr, x_ptr, layer, is_gated, is_normalized, size, k, GROUP)
        g = first // GROUP + group
        steady = tl.load(steady_ptr + g, g < groups, 1.0)
        largest = of_row if MODE == PER_TOKEN else largest_of_groups(u, GROUP)
        codes, scales, _ = rounded(u, steady, both_nibbles, largest, GROUP, MODE)
        tl.store(codes_ptr + row * wide + k[None, :], codes, is_k[None, :])
        at = row * (wide // GROUP) + g[None, :]
        tl.store(scales_ptr + at, scales, (g < groups)[None, :])
        # The outer condition is decided when this is compiled, the inner one on the device.
        if RANK > 0:  # noqa: SIM102
            if takes_both:
                down_at = k[:, None] * PADDED + r[None, :]
                down = tl.load(down_ptr + down_at, is_k[:, None], 0.0)
                low += _product(tl.where(is_transient[:, None], u, 0.0), down)
    return low


@triton.jit
def _turned(
    plan_ptr, floats_ptr, x_ptr, layer, is_gated, is_normalized, size, k, GROUP: tl.constexpr,
):  # fmt: skip
    """Columns k of the rows in scratch: gated or scaled as asked, smoothed and rotated."""
    wide = _size(plan_ptr, _W) * 16
    is_k = k < _field(plan_ptr, layer, _INPUTS)
    units_ptr = floats_ptr + _offset(plan_ptr, layer, _UNITS)
    gain_ptr = floats_ptr + _offset(plan_ptr, layer, _GAIN)
    at = tl.arange(0, 16)[:, None] * wide + k[None, :]
    x = tl.load(x_ptr + at, is_k[None, :], 0.0)
    if is_gated:
        half = _size(plan_ptr, _E_16) * 16
        x = silu(x) * tl.load(x_ptr + at + half, is_k[None, :], 0.0)
    if is_normalized:
        x = tl.div_rn(x, tl.broadcast_to(size[:, None], x.shape))
        x *= tl.load(gain_ptr + k, is_k, 0.0)[None, :]
    return rotated(x, tl.load(units_ptr + k, is_k, 0.0), GROUP)


@triton.jit
def _product(x: tl.tensor, halved: tl.tensor) -> tl.tensor:
    """Product of x `[16, K]` float32 and `[K, N]` float16, x in two parts of 11 bits.

    A hop is few rows, so the second product costs little, and what differs between engines stays
    at float32's rounding: a difference at FP16's would move codes of the layers after it.
    """
    high = halves(x)
    low = halves(x - high.to(tl.float32))
    return tl.dot(low, halved, tl.dot(high, halved))


@triton.jit
def _outputs(
    plan_ptr, packed_ptr, floats_ptr, halves_ptr, codes_ptr, scales_ptr, layer, low, takes_both, n,
    GROUP: tl.constexpr, RANK: tl.constexpr,
):  # fmt: skip
    """Outputs n of a layer, `[16, N]` float32, from the codes in scratch and from x·A."""
    INPUTS: tl.constexpr = GROUP if GROUP > 32 else 32
    groups = _field(plan_ptr, layer, _INPUTS) // GROUP
    stride = _offset(plan_ptr, layer, _STRIDE)
    wide = _size(plan_ptr, _W) * 16
    weights_ptr = packed_ptr + _offset(plan_ptr, layer, _PACKED)
    weight_scales_ptr = floats_ptr + _offset(plan_ptr, layer, _SCALES)
    row = tl.arange(0, 16)
    k = tl.arange(0, INPUTS)
    is_n = n < stride
    y = tl.zeros((16, n.shape[0]), tl.float32)
    for g in range(groups):
        at = row[:, None] * wide + (g * GROUP + k)[None, :]
        codes = tl.load(codes_ptr + at, (k < GROUP)[None, :], 0)
        scale = tl.load(scales_ptr + row * (wide // GROUP) + g)
        sums = group_sums(codes, weights_ptr, g, n, stride, is_n, GROUP)
        weight_scale = tl.load(weight_scales_ptr + g * stride + n, is_n, 0.0)
        y += sums * scale[:, None] * weight_scale[None, :]
    y += tl.load(floats_ptr + _offset(plan_ptr, layer, _BIAS) + n, is_n, 0.0)[None, :]
    if RANK > 0:  # noqa: SIM102
        if takes_both:
            up_ptr = halves_ptr + _offset(plan_ptr, layer, _UP)
            r = tl.arange(0, RANK)
            up = tl.load(up_ptr + r[:, None] * stride + n[None, :], is_n[None, :], 0.0)
            y += _product(low, up)
    return y


@triton.jit
def _convolve(
    plan_ptr, floats_ptr, tokens_ptr, layer, hidden_ptr, sum_ptr, stream, hops, is_row,
    CHUNK: tl.constexpr,
):  # fmt: skip
    """Write h + c to scratch, c the block's convolution; h is kept for the tokens to come."""
    width, wide = _size(plan_ptr, _D), _size(plan_ptr, _W) * 16
    ring, dilation = _field(plan_ptr, layer, _RING), _field(plan_ptr, layer, _DILATION)
    taps_ptr = floats_ptr + _offset(plan_ptr, layer, _TAPS)
    row = tl.arange(0, 16)[:, None]
    for first in range(0, width, CHUNK):
        k = first + tl.arange(0, CHUNK)
        is_k = k < width
        is_in = is_row[:, None] & is_k[None, :]
        hidden = tl.load(hidden_ptr + row * wide + k[None, :], is_k[None, :], 0.0)
        total = tl.load(taps_ptr + k, is_k, 0.0)[None, :] * hidden
        for lag in range(1, _field(plan_ptr, layer, _KERNEL)):
            token = hops - lag * dilation
            slot = (stream * ring + (token & (ring - 1)))[:, None]
            past_at = slot * width + k[None, :]
            past = tl.load(tokens_ptr + past_at, is_in & (token >= 0)[:, None], 0.0)
            total += tl.load(taps_ptr + lag * width + k, is_k, 0.0)[None, :] * past
        slot = (stream * ring + (hops & (ring - 1)))[:, None]
        tl.store(tokens_ptr + slot * width + k[None, :], hidden, is_in)
        tl.store(sum_ptr + row * wide + k[None, :], hidden + total, is_k[None, :])


@triton.jit
def _answer(
    plan_ptr, floats_ptr, patches_ptr, prediction_ptr, departure_ptr, rows_ptr, pending_ptr, x_ptr,
    layer, y, n, stream, place, hops, start, is_row,
):  # fmt: skip
    """Turn outputs n of skip, relation or head into what leaves the network, and write it.

    The skip also keeps the patch. It writes where no role reads in the same hop: H is at least
    what is read back plus P.
    """
    streams, patch, inputs = _size(plan_ptr, _S), _size(plan_ptr, _P), _size(plan_ptr, _I)
    history, wide = _size(plan_ptr, _H), _size(plan_ptr, _W) * 16
    outputs = _field(plan_ptr, layer, _OUTPUTS)
    spread_ptr = floats_ptr + _size(plan_ptr, _SPREAD) * 16
    is_n = n < outputs
    is_out = is_row[:, None] & is_n[None, :]
    at = (stream * patch + place)[:, None]
    odd = (hops & 1).to(tl.int32)[:, None]
    if layer == _HEAD:
        y *= tl.load(spread_ptr + n % inputs)[None, :]
        next_at = ((1 - odd) * streams + stream[:, None]) * outputs + n[None, :]
        tl.store(pending_ptr + next_at, y, is_out)
    else:
        now = tl.load(patches_ptr + at * inputs + n[None, :], is_out, 0.0)
        if layer == _SKIP:
            own_ptr = floats_ptr + _size(plan_ptr, _OWN) * 16
            x_at = x_ptr + tl.arange(0, 16)[:, None] * wide + n[None, :]
            last = tl.load(x_at, is_out, 0.0)
            y += tl.load(own_ptr + n, is_n, 0.0)[None, :] * last
            for lag in range(1, _size(plan_ptr, _ORDER)):
                own = tl.load(own_ptr + lag * inputs + n, is_n, 0.0)[None, :]
                column = _size(plan_ptr, _LEVELS) + (lag - 1) * inputs
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


@triton.jit
def _stream_step(
    plan_ptr: tl.tensor,
    packed_ptr: tl.tensor,
    floats_ptr: tl.tensor,
    halves_ptr: tl.tensor,
    patches_ptr: tl.tensor,
    is_transient_ptr: tl.tensor,
    prediction_ptr: tl.tensor,
    departure_ptr: tl.tensor,
    hops_ptr: tl.tensor,
    rows_ptr: tl.tensor,
    pending_ptr: tl.tensor,
    tokens_ptr: tl.tensor,
    scratch_ptr: tl.tensor,
    codes_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    GROUP: tl.constexpr,
    RANK: tl.constexpr,
    MODE: tl.constexpr,
    CHUNK: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """One role for up to 16 streams.

    Args:
        plan_ptr: int32, of `plan`; read only, as the next five.
        packed_ptr: uint8, codes of all layers.
        floats_ptr: float32, scales, biases and vectors.
        halves_ptr: float16, A and B of all layers.
        patches_ptr: `[S, P, I]` float32.
        is_transient_ptr: `[S]` uint8.
        prediction_ptr: `[S, P, I]` float32, written.
        departure_ptr: `[S, P, C]` float32, written.
        hops_ptr: `[3, S]` int64, hops that each role has seen of a segment; moved on.
        rows_ptr: `[S, H, I]` float32, row t at t modulo H; moved on.
        pending_ptr: `[2, S, P, I]` float32, correction of even and odd hops; moved on.
        tokens_ptr: float32 `[S, ring, d]` of each block, token n at n modulo ring; moved on.
        scratch_ptr: `[programs, 3, 16, W]` float32, of no value between hops, as the next two.
        codes_ptr: `[programs, 16, W]` int8.
        scales_ptr: `[programs, 16, W/G]` float32.
        GROUP: G.
        RANK: R, padded to a power of two from 16; 0 without a low-rank path.
        MODE: of `quantize.gpu.MODES`.
        CHUNK: columns that are rounded at a time, a multiple of G.
        COLUMNS: outputs that are summed at a time.
    """
    role = tl.program_id(1)
    is_correction = role == 2
    first_stream = tl.program_id(0) * 16
    program = tl.program_id(0) * 3 + role
    streams = _size(plan_ptr, _S)
    patch, history = _size(plan_ptr, _P), _size(plan_ptr, _H)
    wide = _size(plan_ptr, _W) * 16
    x_ptr = scratch_ptr + program * (3 * 16) * wide
    sum_ptr = x_ptr + 16 * wide
    hidden_ptr = sum_ptr + 16 * wide
    codes_ptr += program * 16 * wide
    scales_ptr += program * 16 * (wide // GROUP)
    row = tl.arange(0, 16)
    row_at = row[:, None] * wide

    # Skip and relation run one layer for each row of a patch, the correction a chain for a patch.
    first_layer = tl.where(is_correction, _EMBED, role)
    each = tl.where(is_correction, 1, patch)
    steps = tl.where(is_correction, 2 * _size(plan_ptr, _BLOCKS) + 2, 1)
    count = tl.minimum(streams - first_stream, 16) * each
    count = tl.where(_field(plan_ptr, first_layer, _INPUTS) > 0, count, 0)
    for first in range(0, count, 16):
        is_row = first + row < count
        stream = first_stream + (first + row) // each
        place = (first + row) % each
        hops = tl.load(hops_ptr + role * streams + stream, is_row, 0)
        start = (hops * patch & (history - 1)).to(tl.int32)
        depth = tl.minimum(hops * patch, history).to(tl.int32)
        is_transient = tl.load(is_transient_ptr + stream, is_row, 0) != 0
        takes_both = tl.max(is_transient.to(tl.int32), axis=0) > 0
        block_ptr = tokens_ptr
        for step in range(0, steps):
            is_head = is_correction & (step == steps - 1)
            is_expand = is_correction & (step % 2 == 1) & (step < steps - 1)
            is_contract = (step > 0) & (step % 2 == 0)
            layer = tl.where(step == 0, first_layer, _FIRST_BLOCK + step - 1)
            layer = tl.where(is_head, _HEAD, layer)
            if step == 0:
                _gather(
                    plan_ptr, floats_ptr, patches_ptr, rows_ptr, x_ptr, layer,
                    stream, place, start, depth, is_row, CHUNK,
                )  # fmt: skip
            if is_expand:
                _convolve(
                    plan_ptr, floats_ptr, block_ptr, layer, hidden_ptr, sum_ptr, stream, hops,
                    is_row, CHUNK,
                )  # fmt: skip
                block_ptr += streams * _field(plan_ptr, layer, _RING) * _size(plan_ptr, _D)
            tl.debug_barrier()
            source = tl.where(is_expand, 16 * wide, tl.where(is_head, 32 * wide, 0))
            low = _round(
                plan_ptr, floats_ptr, halves_ptr, x_ptr + source, codes_ptr, scales_ptr, layer,
                is_contract, is_expand | is_head, is_transient, takes_both,
                GROUP, RANK, MODE, CHUNK,
            )  # fmt: skip
            tl.debug_barrier()
            columns = _offset(plan_ptr, layer, _STRIDE)
            is_answer = is_head | (role < 2)
            for first_n in range(0, columns, COLUMNS):
                n = first_n + tl.arange(0, COLUMNS)
                y = _outputs(
                    plan_ptr, packed_ptr, floats_ptr, halves_ptr, codes_ptr, scales_ptr, layer,
                    low, takes_both, n, GROUP, RANK,
                )  # fmt: skip
                if is_answer:
                    _answer(
                        plan_ptr, floats_ptr, patches_ptr, prediction_ptr, departure_ptr,
                        rows_ptr, pending_ptr, x_ptr, layer, y, n, stream, place, hops, start,
                        is_row,
                    )  # fmt: skip
                else:
                    at = row_at + n[None, :]
                    is_n = (n < columns)[None, :]
                    y += tl.load(sum_ptr + at, is_n & is_contract, 0.0)
                    target = tl.where(is_expand, 0, 32 * wide)
                    tl.store(x_ptr + target + at, y, is_n)
            tl.debug_barrier()
    tl.debug_barrier()  # every thread has read the count
    stream = first_stream + row
    at = hops_ptr + role * streams + stream
    tl.store(at, tl.load(at, stream < streams, 0) + 1, stream < streams)


@dataclass(frozen=True, slots=True)
class StepTile:
    """How a program of the step works."""

    columns: int  # outputs that are summed at a time
    warps: int
    stages: int


# By capability. With 4 warps each thread's share of a tile of weights is wide enough to be copied
# asynchronously, so that the next group is on its way while one is multiplied; with 8 it is not.
TILES: dict[tuple[int, int], StepTile] = {
    (8, 7): StepTile(columns=64, warps=4, stages=3),
    (9, 0): StepTile(columns=64, warps=4, stages=3),
}


def _variant(
    group: int, rank: int, activation: Activation, capability: tuple[int, int]
) -> Variant:
    below = [known for known in TILES if known <= capability]
    cut = TILES[max(below, default=min(TILES))]
    return Variant(
        name=f'stream_step {activation.value}, group {group}, rank {rank}',
        kernel=_stream_step,
        types=(
            *('*i32', '*u8', '*fp32', '*fp16', '*fp32', '*u8', '*fp32', '*fp32', '*i64'),
            *('*fp32', '*fp32', '*fp32', '*fp32', '*i8', '*fp32'),
        ),
        constants={
            'GROUP': group,
            'RANK': rank,
            'MODE': MODES[activation],
            'CHUNK': CHUNK,
            'COLUMNS': cut.columns,
        },
        warps=cut.warps,
        stages=cut.stages,
    )


def variants(capability: tuple[int, int]) -> tuple[Variant, ...]:
    """The configurations that detectors with groups of 32, and the largest groups, launch."""
    others = set(Activation) - {Activation.TIME_AWARE}
    kinds = (
        *((32, rank, Activation.TIME_AWARE) for rank in (0, 16, 32)),
        *((32, 16, activation) for activation in sorted(others, key=lambda kind: kind.value)),
        *((LARGEST_GROUP, rank, Activation.TIME_AWARE) for rank in (0, 16, 32)),
    )
    return tuple(_variant(*kind, capability) for kind in kinds)


class GpuStreams:
    """The network ready to run for S streams, with its state on the device.

    On a CUDA device a hop is one CUDA graph: patches and mask go there from pinned memory, one
    kernel runs, predictions and departures come back. On `cpu` the kernel runs in Triton's
    interpreter, for tests.
    """

    def __init__(
        self, operands: StreamOperands, *, streams: int, device: str | torch.device = 'cuda'
    ) -> None:
        """Lay everything out, compile, and capture the graph.

        Args:
            operands: the network at 4 bits.
            streams: S.
            device: where it runs.

        Raises:
            DeviceError: the network is the FP32 twin or has too large groups, a buffer is too
                large to be indexed with 32 bits, the kernel can't be compiled, or the device
                fails.
        """
        if any(layer.dense is not None for layer in operands.layers()):
            raise DeviceError(
                'device: the GPU engine runs at 4 bits alone; take the CPU for the FP32 twin'
            )
        if operands.group > LARGEST_GROUP:
            raise DeviceError(
                f'quantization.group: {operands.group} is too large for the GPU engine; set '
                f'device to cpu, or train with at most {LARGEST_GROUP}'
            )
        self._device = torch.device(device)
        laid = plan(operands, streams)
        self._programs = triton.cdiv(streams, STREAMS)
        patch, inputs = operands.patch, operands.inputs
        history = laid.size(Size.HISTORY)
        scratch = self._programs * ROLES * STREAMS * laid.widest
        numbers = {
            'patches': streams * patch * inputs,
            'rows': streams * history * inputs,
            'tokens': laid.token_numbers,
            'scratch': 3 * scratch,
        }
        if too_large := [name for name, count in numbers.items() if count >= 2**31]:
            raise DeviceError(
                f'streams: {streams} streams need {numbers[too_large[0]]} numbers of '
                f'{too_large[0]}; at most {2**31 - 1} are possible, so use fewer streams'
            )
        try:
            capability = (
                torch.cuda.get_device_capability(self._device)
                if self._device.type == 'cuda'
                else min(TILES)
            )
            self._variant = _variant(operands.group, laid.rank, operands.activation, capability)
            self._allocate(operands, streams, laid.widest, numbers)
            self._weights = tuple(
                torch.from_numpy(part).to(self._device)
                for part in (laid.table, laid.packed, laid.floats, laid.halves)
            )
            self._graph = self._capture() if self._device.type == 'cuda' else None
            self.reset()
        except _FAILURES as error:
            raise _lost(error) from error

    def _allocate(
        self, operands: StreamOperands, streams: int, widest: int, numbers: dict[str, int]
    ) -> None:
        patch, inputs, channels = operands.patch, operands.inputs, operands.channels
        is_pinned = self._device.type == 'cuda'

        def here(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, pin_memory=is_pinned)

        def there(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=self._device)

        rows = self._programs * ROLES * STREAMS
        self._host = (
            here(streams, patch, inputs),
            here(streams, dtype=torch.uint8),
            here(streams, patch, inputs),
            here(streams, patch, channels),
        )
        self._here_and_there = tuple(
            there(*part.shape, dtype=part.dtype) if part.numel() else there(1)
            for part in self._host
        )
        self._hops = there(ROLES, streams, dtype=torch.int64)
        self._state = (
            there(streams, numbers['rows'] // (streams * inputs), inputs),
            there(2, streams, patch, inputs),
            there(max(1, numbers['tokens'])),
        )
        self._scratch = (
            there(rows * 3 * widest),
            there(rows * widest, dtype=torch.int8),
            there(rows * (widest // operands.group)),
        )
        patches, mask, prediction, departure = (part.numpy() for part in self._host)
        self._patches: Float32s = patches
        self._mask = mask
        self.prediction: Float32s = prediction  # [S, P, I], overwritten by each step
        self.departure: Float32s = departure  # [S, P, C] likewise

    @property
    def buffers(self) -> dict[str, int]:
        """Bytes on the device by what they hold."""

        def size(parts: tuple[torch.Tensor, ...]) -> int:
            return sum(part.numel() * part.element_size() for part in parts)

        return {
            'weights': size(self._weights),
            'state': size((self._hops, *self._state)),
            'scratch': size(self._scratch),
            'inputs and outputs': size(self._here_and_there),
        }

    def reset(self, stream: int | None = None) -> None:
        """Forget the past of one stream, or of all: the next patch starts a segment.

        Raises:
            DeviceError: the device fails; its state is lost.
        """
        try:
            if stream is None:
                self._hops.zero_()
            else:
                self._hops[:, stream] = 0
        except _FAILURES as error:
            raise _lost(error) from error

    def step(self, patches: Float32s, is_transient: Bools) -> None:
        """Take one patch of each stream in; `prediction` and `departure` then hold its answer.

        Args:
            patches: `[S, P, I]` float32, finite.
            is_transient: `[S]` the mask.

        Raises:
            DeviceError: the device fails; its state is lost.
        """
        np.copyto(self._patches, patches)
        np.copyto(self._mask, is_transient, casting='unsafe')
        try:
            if self._graph is None:
                self._hop()
            else:
                self._graph.replay()
                torch.cuda.current_stream(self._device).synchronize()
        except _FAILURES as error:
            raise _lost(error) from error

    def _hop(self) -> None:
        """Enqueue one hop: copies there, the kernel, copies back."""
        patches, mask, prediction, departure = self._here_and_there
        patches.copy_(self._host[0], non_blocking=True)
        mask.copy_(self._host[1], non_blocking=True)
        self._variant.launch(
            (self._programs, ROLES),
            *self._weights,
            patches,
            mask,
            prediction,
            departure,
            self._hops,
            *self._state,
            *self._scratch,
        )
        self._host[2].copy_(prediction, non_blocking=True)
        if self._host[3].numel():
            self._host[3].copy_(departure, non_blocking=True)

    def _capture(self) -> torch.cuda.CUDAGraph:
        """The hop as a CUDA graph, after one launch that compiles the kernel."""
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream()
            with torch.cuda.stream(side):
                self._hop()
            side.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=side):
                self._hop()
        return graph


def _lost(error: Exception) -> DeviceError:
    # The compiler's own words of an error come after an excerpt of the source.
    said = getattr(error, 'error_message', None) or str(error) or type(error).__name__
    reason = ' '.join(said.split())
    return DeviceError(f'device: the GPU engine failed: {reason:.200}; set device to cpu')
