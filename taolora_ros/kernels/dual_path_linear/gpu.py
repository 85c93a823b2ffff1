"""The dual-path linear layer on the GPU, both paths in one pass.

    y[m, n] = Σ_g s[m, g] · t[g, n] · Σ_{k in g} q[m, k] · w[k, n] + bias[n]
            + I(transient[m]) · Σ_r (Σ_k x[m, k] · A[k, r]) · B[r, n]

The loop over K takes a group at a time: two nibbles a byte become INT8 in registers, an INT8
tensor-core product gives the group's exact int32 sums, and beside it, over the same group, x
meets A. The epilogue adds B's share and the bias, may gate (silu(y₁) ⊙ y₂ of the two halves of N)
and may round the result for the layer that follows. A tile of rows without a transient branches,
on the device, to a loop without the low-rank path.

The low-rank path multiplies in FP16 and adds in FP32: x, A, B and x·A are rounded to 11 bits, so
it is within (|x|·|A|·|B|)·2⁻⁹ of the exact one.

M rows, K inputs (a multiple of 32 and of G), N outputs, E hidden features, R rank, G group size.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import triton
import triton.language as tl

from taolora_ros.config import Activation
from taolora_ros.kernels.compilation.gpu import Variant
from taolora_ros.kernels.dual_path_linear.reference import Operands
from taolora_ros.kernels.quantize.gpu import (
    MODES,
    QuantizedRows,
    halves,
    largest_of_groups,
    rounded,
)
from taolora_ros.kernels.rotate.gpu import rotated
from taolora_ros.quantization.int4 import pack, padded

ALIGNMENT = 16  # rows of weights begin at multiples of it, so that loads are wide
_FEWEST = 32  # inputs of an INT8 product
_LEAST_RANK = 16  # of a tensor-core product


class Epilogue(enum.Enum):
    """What becomes of y before it is written."""

    PLAIN = 0
    GATED = 1  # silu of the first half of the outputs times the second half


@dataclass(frozen=True, slots=True)
class Tile:
    """How the product is cut up."""

    rows: int
    columns: int
    warps: int
    stages: int


# Capability to the most rows that a tile is meant for, and the tile; chosen so that nothing spills
# and several programs fit on a multiprocessor. Few rows: narrow tiles, so that all SMs take part.
# A gated layer sums twice as many columns as it writes, so its tile is half as wide.
TILES: dict[tuple[int, int], tuple[tuple[int, Tile], ...]] = {
    (8, 7): ((16, Tile(16, 32, 2, 4)), (256, Tile(32, 64, 4, 4)), (2**31, Tile(64, 64, 8, 4))),
    (9, 0): ((16, Tile(16, 32, 4, 4)), (256, Tile(32, 64, 4, 3)), (2**31, Tile(64, 128, 8, 4))),
}


# A group is one tensor-core product: large ones take the room of several stages and columns.
LARGE_GROUP = 64
LARGE_GROUP_TILE = Tile(16, 32, 4, 2)


def tile(rows: int, group: int, capability: tuple[int, int]) -> Tile:
    """The tile for a product of so many rows; a capability between two takes the lower one's."""
    if group > LARGE_GROUP:
        return LARGE_GROUP_TILE
    below = [known for known in TILES if known <= capability]
    choices = TILES[max(below, default=min(TILES))]
    return next(choice for most, choice in choices if rows <= most)


@triton.jit
def unpacked(packed: tl.tensor) -> tl.tensor:
    """Codes `[K, N]` int8 of bytes `[K/2, N]` uint8, even k in the low nibble."""
    signed = packed.to(tl.int8, bitcast=True)
    pairs = tl.permute(tl.join((signed << 4) >> 4, signed >> 4), (0, 2, 1))
    return tl.reshape(pairs, (2 * packed.shape[0], packed.shape[1]))


@triton.jit
def silu(values: tl.tensor) -> tl.tensor:
    """The sigmoid linear unit x / (1 + exp(−x)), bounded so that exp stays within float32."""
    return values / (1.0 + tl.exp(-tl.maximum(values, -80.0)))


@triton.jit
def group_sums(
    codes: tl.tensor,
    weights_ptr: tl.tensor,
    g: tl.tensor,
    n: tl.tensor,
    stride: tl.tensor,
    is_n: tl.tensor,
    GROUP: tl.constexpr,
) -> tl.tensor:
    """Exact sums of one group as float32, `[M, N]`.

    Args:
        codes: `[M, max(G, 32)]` int8, 0 beyond G.
        weights_ptr: `[K/2, stride]` uint8.
        g: the group.
        n: `[N]` outputs.
        stride: of a row of weights.
        is_n: `[N]` which outputs exist.
        GROUP: G.
    """
    HALF: tl.constexpr = codes.shape[1] // 2
    pair = tl.arange(0, HALF)
    at = (g * (GROUP // 2) + pair)[:, None] * stride + n[None, :]
    packed = tl.load(weights_ptr + at, (pair < GROUP // 2)[:, None] & is_n[None, :], 0)
    return tl.dot(codes, unpacked(packed), out_dtype=tl.int32).to(tl.float32)


@triton.jit
def _products(
    codes_ptr, scales_ptr, x_ptr, weights_ptr, weight_scales_ptr, down_ptr,
    row, is_row, is_transient, n, is_column, groups, stride, half,
    GROUP: tl.constexpr, RANK: tl.constexpr, GATED: tl.constexpr, LOW_RANK: tl.constexpr,
    COLUMNS: tl.constexpr,
):  # fmt: skip
    """Both sums over K: the INT4 product of n, that of n + half if GATED, and x·A if LOW_RANK."""
    INPUTS: tl.constexpr = GROUP if GROUP > 32 else 32
    k = tl.arange(0, INPUTS)
    r = tl.arange(0, RANK)
    y = tl.zeros((row.shape[0], COLUMNS), tl.float32)
    value = tl.zeros((row.shape[0], COLUMNS), tl.float32)
    low = tl.zeros((row.shape[0], RANK), tl.float32)
    is_other = half + n < stride
    for g in range(groups):
        at = row[:, None] * (groups * GROUP) + (g * GROUP + k)[None, :]
        is_in = is_row[:, None] & (k < GROUP)[None, :]
        codes = tl.load(codes_ptr + at, is_in, 0)
        scale = tl.load(scales_ptr + row * groups + g, is_row, 0.0)[:, None]
        sums = group_sums(codes, weights_ptr, g, n, stride, is_column, GROUP)
        y += sums * scale * tl.load(weight_scales_ptr + g * stride + n, is_column, 0.0)[None, :]
        if GATED:
            sums = group_sums(codes, weights_ptr, g, half + n, stride, is_other, GROUP)
            others = tl.load(weight_scales_ptr + g * stride + half + n, is_other, 0.0)
            value += sums * scale * others[None, :]
        if LOW_RANK:
            x = tl.load(x_ptr + at, is_in & is_transient[:, None], 0.0)
            down_at = (g * GROUP + k)[:, None] * RANK + r[None, :]
            down = tl.load(down_ptr + down_at, (k < GROUP)[:, None], 0.0)
            low = tl.dot(x, down, low)
    return y, value, low


@triton.jit
def low_rank_share(
    low: tl.tensor,
    up_ptr: tl.tensor,
    n: tl.tensor,
    is_n: tl.tensor,
    stride: tl.tensor,
) -> tl.tensor:
    """(x·A)·B, `[M, N]` float32, from x·A `[M, R]` float32 and B `[R, stride]` float16."""
    r = tl.arange(0, low.shape[1])
    up = tl.load(up_ptr + r[:, None] * stride + n[None, :], is_n[None, :], 0.0)
    return tl.dot(halves(low), up)


@triton.jit(do_not_specialize=['rows', 'groups', 'outputs', 'stride_16', 'half_16', 'is_wide'])
def _dual_path_linear(
    codes_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    x_ptr: tl.tensor,
    is_transient_ptr: tl.tensor,
    weights_ptr: tl.tensor,
    weight_scales_ptr: tl.tensor,
    down_ptr: tl.tensor,
    up_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    y_ptr: tl.tensor,
    units_ptr: tl.tensor,
    steady_ptr: tl.tensor,
    next_codes_ptr: tl.tensor,
    next_scales_ptr: tl.tensor,
    next_x_ptr: tl.tensor,
    rows: tl.tensor,
    groups: tl.tensor,
    outputs: tl.tensor,
    stride_16: tl.tensor,
    half_16: tl.tensor,
    is_wide: tl.tensor,
    GROUP: tl.constexpr,
    RANK: tl.constexpr,
    GATED: tl.constexpr,
    ROUND: tl.constexpr,
    MODE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """One tile of rows and outputs.

    Args:
        codes_ptr: `[M, K]` int8.
        scales_ptr: `[M, K/G]` float32.
        x_ptr: `[M, K]` float16, read where the mask is on.
        is_transient_ptr: `[M]` uint8.
        weights_ptr: `[K/2, stride]` uint8, two codes a byte.
        weight_scales_ptr: `[K/G, stride]` float32.
        down_ptr: `[K, RANK]` float16 A.
        up_ptr: `[RANK, stride]` float16 B.
        bias_ptr: `[stride]` float32.
        y_ptr: `[M, outputs]` float32, written unless ROUND.
        units_ptr: `[outputs]` float32 of the next layer; read if ROUND, as the next four.
        steady_ptr: `[outputs/G]` float32 of the next layer.
        next_codes_ptr: `[M, outputs]` int8, written.
        next_scales_ptr: `[M, outputs/G]` float32, written.
        next_x_ptr: `[M, outputs]` float16, written where the mask is on.
        rows: M.
        groups: K/G.
        outputs: of y: N, or N/2 if GATED.
        stride_16: of a row of weights, in sixteens.
        half_16: where the second half of the outputs begins, in sixteens.
        is_wide: whether steady rows of the next layer take both nibbles, 1 or 0.
        GROUP: G.
        RANK: R, padded to a power of two from 16; 0 without a low-rank path.
        GATED: whether y is silu of the first half times the second.
        ROUND: whether y is rounded for the next layer.
        MODE: of `MODES`, how the next layer's scales are chosen.
        ROWS: M of a tile.
        COLUMNS: N of a tile, a multiple of G if ROUND.
    """
    stride = stride_16 * 16  # in sixteens, so that loads of weights are known to be aligned
    half = half_16 * 16
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    is_row = row < rows
    n = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    is_n = n < outputs
    is_column = n < stride  # of the padded weights
    is_transient = tl.load(is_transient_ptr + row, is_row, 0) != 0
    PADDED: tl.constexpr = RANK if RANK > 0 else 16
    takes_both = tl.max(is_transient.to(tl.int32), axis=0) > 0 if RANK > 0 else False
    if takes_both:
        y, value, low = _products(
            codes_ptr, scales_ptr, x_ptr, weights_ptr, weight_scales_ptr, down_ptr,
            row, is_row, is_transient, n, is_column, groups, stride, half,
            GROUP, PADDED, GATED, RANK > 0, COLUMNS,
        )  # fmt: skip
        y += low_rank_share(low, up_ptr, n, is_column, stride)
        if GATED:
            value += low_rank_share(low, up_ptr, half + n, half + n < stride, stride)
    else:
        y, value, low = _products(
            codes_ptr, scales_ptr, x_ptr, weights_ptr, weight_scales_ptr, down_ptr,
            row, is_row, is_transient, n, is_column, groups, stride, half,
            GROUP, PADDED, GATED, False, COLUMNS,
        )  # fmt: skip
    y += tl.load(bias_ptr + n, is_column, 0.0)[None, :]
    if GATED:
        value += tl.load(bias_ptr + half + n, half + n < stride, 0.0)[None, :]
        y = silu(y) * value
    at = row[:, None] * outputs + n[None, :]
    is_out = is_row[:, None] & is_n[None, :]
    if ROUND:
        u = rotated(y, tl.load(units_ptr + n, is_n, 0.0), GROUP)
        next_groups = outputs // GROUP
        g = tl.program_id(1) * (COLUMNS // GROUP) + tl.arange(0, COLUMNS // GROUP)
        steady = tl.load(steady_ptr + g, g < next_groups, 1.0)
        largest = largest_of_groups(u, GROUP)
        both = is_transient | (is_wide != 0)
        next_codes, next_scales, _ = rounded(u, steady, both, largest, GROUP, MODE)
        tl.store(next_codes_ptr + at, next_codes, is_out)
        tl.store(next_x_ptr + at, halves(u), is_out & is_transient[:, None])
        scales_at = row[:, None] * next_groups + g[None, :]
        tl.store(next_scales_ptr + scales_at, next_scales, is_row[:, None] & (g < next_groups))
    else:
        tl.store(y_ptr + at, y, is_out)


@dataclass(frozen=True, slots=True, eq=False)
class LayerTensors:
    """A layer on the device; columns are padded to a multiple of 16, the stride."""

    packed: torch.Tensor  # [K/2, stride] uint8 codes, two a byte as in `quantization.int4`
    scales: torch.Tensor  # [K/G, stride] float32
    down: torch.Tensor  # [K, R] float16 A, R padded with zeros
    up: torch.Tensor  # [R, stride] float16 B
    bias: torch.Tensor  # [stride] float32
    outputs: int  # N
    group: int  # G

    @property
    def rank(self) -> int:
        """R as it is multiplied: 0, or a power of two from 16 on."""
        return self.down.shape[1]

    @staticmethod
    def of(operands: Operands, device: torch.device | str) -> LayerTensors:
        """Put a layer on a device."""
        groups, group, outputs = operands.codes.shape
        rank = operands.up.shape[0]
        more = padded(outputs, ALIGNMENT) - outputs
        more_rank = (max(_LEAST_RANK, triton.next_power_of_2(rank)) if rank else 0) - rank
        codes = operands.codes.reshape(groups * group, outputs).astype(np.int8)

        def put(values: npt.NDArray[Any], *widths: tuple[int, int]) -> torch.Tensor:
            return torch.from_numpy(np.pad(values, widths)).to(device)

        return LayerTensors(
            packed=put(pack(codes), (0, 0), (0, more)),
            scales=put(operands.scales, (0, 0), (0, more)),
            down=put(operands.down.astype(np.float16), (0, 0), (0, more_rank)),
            up=put(operands.up.astype(np.float16), (0, more_rank), (0, more)),
            bias=put(operands.bias, (0, more)),
            outputs=outputs,
            group=group,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Following:
    """The layer that takes a layer's outputs, as far as rounding for it needs to know."""

    units: torch.Tensor  # [K] float32, of `kernels.rotate`
    steady: torch.Tensor  # [K/G] float32
    activation: Activation  # any but PER_TOKEN, whose scale looks at all tiles of a row
    is_wide: bool = False  # whether its steady rows take both nibbles, as transient rows do


def dual_path_linear(
    rows: QuantizedRows,
    layer: LayerTensors,
    *,
    is_transient: torch.Tensor,
    epilogue: Epilogue = Epilogue.PLAIN,
) -> torch.Tensor:
    """Apply the layer to rounded rows.

    Args:
        rows: the activations, of `kernels.quantize.gpu`.
        layer: the weights.
        is_transient: `[M]` bool, the mask that the rows were rounded with.
        epilogue: what becomes of the sums.

    Returns:
        `[M, N]` float32, or `[M, N/2]` if gated.
    """
    count, device = rows.codes.shape[0], rows.codes.device
    outputs = _written(layer, epilogue)
    y = torch.empty((count, outputs), dtype=torch.float32, device=device)
    unused = (layer.bias, layer.bias, rows.codes, rows.scales, rows.halves)
    _launch(rows, layer, is_transient, epilogue, None, outputs, y, *unused)
    return y


def dual_path_linear_rounded(
    rows: QuantizedRows,
    layer: LayerTensors,
    *,
    is_transient: torch.Tensor,
    following: Following,
    epilogue: Epilogue = Epilogue.PLAIN,
) -> QuantizedRows:
    """Apply the layer, and round its outputs for the layer that follows, in the same launch.

    Args:
        rows: the activations.
        layer: the weights.
        is_transient: `[M]` bool, the mask that the rows were rounded with.
        following: the layer that takes the outputs; they fill its groups.
        epilogue: what becomes of the sums before they are rounded.
    """
    count, device = rows.codes.shape[0], rows.codes.device
    outputs = _written(layer, epilogue)
    assert outputs % layer.group == 0, f'{outputs} outputs do not fill groups of {layer.group}'
    assert layer.group <= LARGE_GROUP, f'a tile holds whole groups, and {layer.group} is too wide'
    assert following.activation is not Activation.PER_TOKEN, 'a tile sees a part of each row'
    result = QuantizedRows(
        codes=torch.empty((count, outputs), dtype=torch.int8, device=device),
        scales=torch.empty((count, outputs // layer.group), dtype=torch.float32, device=device),
        halves=torch.empty((count, outputs), dtype=torch.float16, device=device),
        cut=None,
    )
    written = (result.codes, result.scales, result.halves)
    read = (following.units, following.steady)
    _launch(rows, layer, is_transient, epilogue, following, outputs, rows.scales, *read, *written)
    return result


def _written(layer: LayerTensors, epilogue: Epilogue) -> int:
    """Outputs that are left after the epilogue."""
    if epilogue is Epilogue.PLAIN:
        return layer.outputs
    assert layer.outputs % (2 * ALIGNMENT) == 0, f'halves of {layer.outputs} are not aligned'
    return layer.outputs // 2


def _launch(
    rows: QuantizedRows,
    layer: LayerTensors,
    is_transient: torch.Tensor,
    epilogue: Epilogue,
    following: Following | None,
    outputs: int,
    *last: torch.Tensor,
) -> None:
    """Enqueue one layer; `last` are the kernel's arguments from y on."""
    count, device = rows.codes.shape[0], rows.codes.device
    capability = torch.cuda.get_device_capability(device) if device.type == 'cuda' else min(TILES)
    cut = tile(count, layer.group, capability)
    activation = following.activation if following else None
    variant = _variant(layer.group, layer.rank, cut, epilogue, activation)
    columns = variant.constants['COLUMNS']
    variant.launch(
        (triton.cdiv(count, cut.rows), triton.cdiv(outputs, columns)),
        rows.codes,
        rows.scales,
        rows.halves,
        is_transient.view(torch.uint8),
        layer.packed,
        layer.scales,
        layer.down,
        layer.up,
        layer.bias,
        *last,
        count,
        rows.scales.shape[1],
        outputs,
        layer.packed.shape[1] // ALIGNMENT,
        outputs // ALIGNMENT,
        int(following is not None and following.is_wide),
    )


_TYPES = (
    *('*i8', '*fp32', '*fp16', '*u8', '*u8', '*fp32', '*fp16', '*fp16', '*fp32', '*fp32'),
    *('*fp32', '*fp32', '*i8', '*fp32', '*fp16', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'),
)


def _variant(
    group: int, rank: int, cut: Tile, epilogue: Epilogue, rounding: Activation | None
) -> Variant:
    then = f', rounded {rounding.value}' if rounding else ''
    columns = cut.columns if epilogue is Epilogue.PLAIN else max(cut.columns // 2, _FEWEST)
    columns = max(columns, group) if rounding else columns
    size = f'{cut.rows}×{columns}'
    return Variant(
        name=f'dual_path_linear {epilogue.name.lower()}{then}, rank {rank}, tile {size}',
        kernel=_dual_path_linear,
        types=_TYPES,
        constants={
            'GROUP': group,
            'RANK': rank,
            'GATED': epilogue is Epilogue.GATED,
            'ROUND': rounding is not None,
            'MODE': MODES[rounding or Activation.STATIC],
            'ROWS': cut.rows,
            'COLUMNS': columns,
        },
        warps=cut.warps,
        stages=cut.stages,
    )


def variants(capability: tuple[int, int]) -> tuple[Variant, ...]:
    """The configurations that detectors with groups of 32 launch on a device."""
    kinds = (
        *((rank, Epilogue.PLAIN, None) for rank in (0, 16, 32, 128)),
        (16, Epilogue.GATED, None),
        (16, Epilogue.GATED, Activation.TIME_AWARE),
    )
    return tuple(
        _variant(32, rank, cut, epilogue, rounding)
        for _, cut in TILES[capability]
        for rank, epilogue, rounding in kinds
    )
