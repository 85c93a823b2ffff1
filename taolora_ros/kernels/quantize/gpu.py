"""Time-aware INT4 quantization on the GPU: smoothing, rotation and rounding in one launch.

    u = (x ⊙ units) · H
    q[m, k] = clip(round_half_even(u[m, k] · (1 / s[m, g(k)])), −L[m], L[m])

as in `kernels.rotate` and `kernels.quantize`, whose bits these are: nothing is fused into a
multiply-add, division is IEEE's, and a number is rounded by adding and subtracting 1.5·2²³, which
rounds halves to even. Beside codes and scales come the rows that the low-rank path reads, in
FP16, and how many codes of each row the clip cut.

M rows, K inputs (a multiple of G), G group size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl

from taolora_ros.config import Activation
from taolora_ros.kernels.compilation.gpu import Variant
from taolora_ros.kernels.rotate.gpu import rotated

# How scales are chosen, as the kernels know it.
MODES = {
    Activation.STATIC: 0,
    Activation.PER_TOKEN: 1,
    Activation.PER_GROUP: 2,
    Activation.TIME_AWARE: 3,
}
STATIC, PER_TOKEN, PER_GROUP, TIME_AWARE = (tl.constexpr(mode) for mode in range(4))

_ONE: tl.constexpr = tl.constexpr(7.0)  # largest code of one nibble
_BOTH: tl.constexpr = tl.constexpr(98.0)  # of two
_LEAST: tl.constexpr = tl.constexpr(2.0**-126)  # of a scale, whose inverse is finite
_ROUND: tl.constexpr = tl.constexpr(1.5 * 2.0**23)  # one float32 apart from the next is 1 there
_LARGEST_HALF: tl.constexpr = tl.constexpr(65504.0)

_ROWS = 16  # of a program
_COLUMNS = 64  # that it holds at a time, or one group if that is larger
_WARPS = 4


@triton.jit
def halves(values: tl.tensor) -> tl.tensor:
    """FP16, with what is beyond its range at its largest number."""
    return tl.minimum(tl.maximum(values, -_LARGEST_HALF), _LARGEST_HALF).to(tl.float16)


@triton.jit
def largest_of_groups(u: tl.tensor, GROUP: tl.constexpr) -> tl.tensor:
    """The largest magnitude of every row and group, `[M, K/G]`, of rows `[M, K]`."""
    GROUPS: tl.constexpr = u.shape[1] // GROUP
    return tl.max(tl.reshape(tl.abs(u), (u.shape[0], GROUPS, GROUP)), axis=2)


@triton.jit
def rounded(
    u: tl.tensor,
    steady: tl.tensor,
    is_transient: tl.tensor,
    largest: tl.tensor,
    GROUP: tl.constexpr,
    MODE: tl.constexpr,
) -> tl.tensor:
    """Codes of rotated rows.

    Args:
        u: `[M, K]` float32.
        steady: `[K/G]` float32, positive.
        is_transient: `[M]` int1.
        largest: `[M, K/G]` float32, the magnitude that a scale follows; not read with STATIC.
        GROUP: G.
        MODE: of `MODES`.

    Returns:
        codes `[M, K]` int8; scales `[M, K/G]` float32; codes that the clip cut, `[M]` int32.
    """
    ROWS: tl.constexpr = u.shape[0]
    GROUPS: tl.constexpr = u.shape[1] // GROUP
    scales = tl.broadcast_to(steady[None, :], (ROWS, GROUPS))
    limit = tl.full((ROWS,), _ONE, tl.float32)
    if MODE == TIME_AWARE:
        limit = tl.where(is_transient, _BOTH, _ONE)
        inverse = tl.where(is_transient, 1.0 / _BOTH, 1.0 / _ONE)
        following = largest * inverse[:, None]
        scales = tl.where(is_transient[:, None] & (following >= _LEAST), following, scales)
    elif MODE != STATIC:
        following = largest * (1.0 / _ONE)
        scales = tl.where(following >= _LEAST, following, scales)
    inverse_scales = tl.div_rn(tl.full((ROWS, GROUPS), 1.0, tl.float32), scales)
    values = tl.reshape(u, (ROWS, GROUPS, GROUP)) * inverse_scales[:, :, None]
    bound = limit[:, None, None]
    near = tl.minimum(tl.maximum(values, -bound - 2.0), bound + 2.0)
    whole = (near + _ROUND) - _ROUND
    cut = tl.reshape((tl.abs(whole) > bound).to(tl.int32), (ROWS, u.shape[1]))
    codes = tl.minimum(tl.maximum(whole, -bound), bound).to(tl.int8)
    return tl.reshape(codes, (ROWS, u.shape[1])), scales, tl.sum(cut, axis=1)


@triton.jit(do_not_specialize=['rows', 'groups'])
def _quantize(
    x_ptr: tl.tensor,
    units_ptr: tl.tensor,
    steady_ptr: tl.tensor,
    is_transient_ptr: tl.tensor,
    codes_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    halves_ptr: tl.tensor,
    cut_ptr: tl.tensor,
    rows: tl.tensor,
    groups: tl.tensor,
    GROUP: tl.constexpr,
    MODE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """One tile of rows, all of their columns.

    Args:
        x_ptr: `[M, K]` float32.
        units_ptr: `[K]` float32.
        steady_ptr: `[K/G]` float32.
        is_transient_ptr: `[M]` uint8.
        codes_ptr: `[M, K]` int8, written.
        scales_ptr: `[M, K/G]` float32, written.
        halves_ptr: `[M, K]` float16, u; written where the mask is on.
        cut_ptr: `[M]` int32, written.
        rows: M.
        groups: K/G.
        GROUP: G.
        MODE: of `MODES`.
        ROWS: M of a tile.
        COLUMNS: K of a tile, a multiple of G.
    """
    inputs = groups * GROUP
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    is_row = row < rows
    is_transient = tl.load(is_transient_ptr + row, is_row, 0) != 0
    column = tl.arange(0, COLUMNS)
    group = tl.arange(0, COLUMNS // GROUP)
    of_row = tl.zeros((ROWS, COLUMNS // GROUP), tl.float32)
    if MODE == PER_TOKEN:
        for first in range(0, inputs, COLUMNS):
            k = first + column
            is_in = is_row[:, None] & (k < inputs)[None, :]
            x = tl.load(x_ptr + row[:, None] * inputs + k[None, :], is_in, 0.0)
            u = rotated(x, tl.load(units_ptr + k, k < inputs, 0.0), GROUP)
            largest = tl.max(tl.abs(u), axis=1)
            of_row = tl.maximum(of_row, tl.broadcast_to(largest[:, None], of_row.shape))
    total = tl.zeros((ROWS,), tl.int32)
    for first in range(0, inputs, COLUMNS):
        k = first + column
        g = first // GROUP + group
        is_in = is_row[:, None] & (k < inputs)[None, :]
        x = tl.load(x_ptr + row[:, None] * inputs + k[None, :], is_in, 0.0)
        u = rotated(x, tl.load(units_ptr + k, k < inputs, 0.0), GROUP)
        steady = tl.load(steady_ptr + g, g < groups, 1.0)
        largest = of_row if MODE == PER_TOKEN else largest_of_groups(u, GROUP)
        codes, scales, cut = rounded(u, steady, is_transient, largest, GROUP, MODE)
        total += cut
        at = row[:, None] * inputs + k[None, :]
        tl.store(codes_ptr + at, codes, is_in)
        tl.store(halves_ptr + at, halves(u), is_in & is_transient[:, None])
        is_group = is_row[:, None] & (g < groups)[None, :]
        tl.store(scales_ptr + row[:, None] * groups + g[None, :], scales, is_group)
    tl.store(cut_ptr + row, total, is_row)


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedRows:
    """Rotated rows at 4 bits, transient ones at twice 4."""

    codes: torch.Tensor  # [M, K] int8
    scales: torch.Tensor  # [M, K/G] float32
    halves: torch.Tensor  # [M, K] float16 rows before rounding; undefined where the mask is off
    cut: torch.Tensor | None  # [M] int32 codes that the clip cut; None where a layer rounded


def quantize(
    x: torch.Tensor,
    units: torch.Tensor,
    *,
    steady: torch.Tensor,
    is_transient: torch.Tensor,
    activation: Activation,
) -> QuantizedRows:
    """Smooth, rotate and round rows.

    Args:
        x: `[M, K]` float32, finite, contiguous.
        units: `[K]` float32, of `kernels.rotate`.
        steady: `[K/G]` float32, positive.
        is_transient: `[M]` bool, rows that take both nibbles; all rows of a wide layer.
        activation: how scales are chosen.
    """
    rows, inputs = x.shape
    groups = steady.shape[0]
    variant = _variant(inputs // groups, activation)
    result = QuantizedRows(
        codes=torch.empty((rows, inputs), dtype=torch.int8, device=x.device),
        scales=torch.empty((rows, groups), dtype=torch.float32, device=x.device),
        halves=torch.empty((rows, inputs), dtype=torch.float16, device=x.device),
        cut=torch.empty(rows, dtype=torch.int32, device=x.device),
    )
    variant.launch(
        (triton.cdiv(rows, _ROWS),),
        x,
        units,
        steady,
        is_transient.view(torch.uint8),
        result.codes,
        result.scales,
        result.halves,
        result.cut,
        rows,
        groups,
    )
    return result


def _variant(group: int, activation: Activation) -> Variant:
    return Variant(
        name=f'quantize {activation.value}, group {group}',
        kernel=_quantize,
        types=('*fp32', '*fp32', '*fp32', '*u8', '*i8', '*fp32', '*fp16', '*i32', 'i32', 'i32'),
        constants={
            'GROUP': group,
            'MODE': MODES[activation],
            'ROWS': _ROWS,
            'COLUMNS': max(_COLUMNS, group),
        },
        warps=_WARPS,
        stages=1,
    )


def variants(capability: tuple[int, int]) -> tuple[Variant, ...]:
    """The configurations that detectors with groups of 32 launch; the same on every device."""
    del capability
    return tuple(_variant(32, activation) for activation in Activation)
