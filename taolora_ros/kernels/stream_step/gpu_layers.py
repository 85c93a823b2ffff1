"""One dense layer of a hop on the GPU: inputs rounded in scratch, outputs from their codes.

Letters as in `gpu`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from taolora_ros.kernels.dual_path_linear.gpu import group_sums, silu
from taolora_ros.kernels.quantize.gpu import PER_TOKEN, halves, largest_of_groups, rounded
from taolora_ros.kernels.rotate.gpu import rotated
from taolora_ros.kernels.stream_step.gpu_plan import (
    FIELD_BIAS,
    FIELD_DOWN,
    FIELD_GAIN,
    FIELD_INPUTS,
    FIELD_IS_WIDE,
    FIELD_PACKED,
    FIELD_SCALES,
    FIELD_STEADY,
    FIELD_STRIDE_16,
    FIELD_UNITS,
    FIELD_UP,
    SIZE_FLOOR,
    SIZE_HIDDEN_16,
    SIZE_WIDEST_16,
    field,
    number,
    offset,
)


@triton.jit
def round_inputs(
    plan_ptr, floats_ptr, halves_ptr, x_ptr, codes_ptr, scales_ptr, layer, is_gated, is_normalized,
    is_transient, takes_both, GROUP: tl.constexpr, RANK: tl.constexpr, MODE: tl.constexpr,
    COLUMNS: tl.constexpr,
):  # fmt: skip
    """Smooth, rotate and round a layer's inputs in scratch; returns x·A `[16, R]` float32.

    Before, they are gated, or scaled to a root mean square of 1 and by the layer's gain, as the
    flags say.
    """
    inputs = field(plan_ptr, layer, FIELD_INPUTS)
    groups = inputs // GROUP
    wide = number(plan_ptr, SIZE_WIDEST_16) * 16
    both_nibbles = is_transient | (field(plan_ptr, layer, FIELD_IS_WIDE) != 0)
    steady_ptr = floats_ptr + offset(plan_ptr, layer, FIELD_STEADY)
    down_ptr = halves_ptr + offset(plan_ptr, layer, FIELD_DOWN)
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
        size = tl.sqrt_rn(mean + tl.load(floats_ptr + number(plan_ptr, SIZE_FLOOR) * 16))
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
    wide = number(plan_ptr, SIZE_WIDEST_16) * 16
    is_k = k < field(plan_ptr, layer, FIELD_INPUTS)
    units_ptr = floats_ptr + offset(plan_ptr, layer, FIELD_UNITS)
    gain_ptr = floats_ptr + offset(plan_ptr, layer, FIELD_GAIN)
    at = tl.arange(0, 16)[:, None] * wide + k[None, :]
    x = tl.load(x_ptr + at, is_k[None, :], 0.0)
    if is_gated:
        half = number(plan_ptr, SIZE_HIDDEN_16) * 16
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
def layer_outputs(
    plan_ptr, packed_ptr, floats_ptr, halves_ptr, codes_ptr, scales_ptr, layer, low, takes_both, n,
    GROUP: tl.constexpr, RANK: tl.constexpr,
):  # fmt: skip
    """Outputs n of a layer, `[16, N]` float32, from the codes in scratch and from x·A."""
    INPUTS: tl.constexpr = GROUP if GROUP > 32 else 32
    groups = field(plan_ptr, layer, FIELD_INPUTS) // GROUP
    stride = offset(plan_ptr, layer, FIELD_STRIDE_16)
    wide = number(plan_ptr, SIZE_WIDEST_16) * 16
    weights_ptr = packed_ptr + offset(plan_ptr, layer, FIELD_PACKED)
    weight_scales_ptr = floats_ptr + offset(plan_ptr, layer, FIELD_SCALES)
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
    y += tl.load(floats_ptr + offset(plan_ptr, layer, FIELD_BIAS) + n, is_n, 0.0)[None, :]
    if RANK > 0:  # noqa: SIM102
        if takes_both:
            up_ptr = halves_ptr + offset(plan_ptr, layer, FIELD_UP)
            r = tl.arange(0, RANK)
            up = tl.load(up_ptr + r[:, None] * stride + n[None, :], is_n[None, :], 0.0)
            y += _product(low, up)
    return y
