"""The kernel of a hop on the GPU, and how it is cut for each device.

Letters as in `gpu`.
"""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl

from taolora_ros.config import Activation
from taolora_ros.kernels.compilation.gpu import Variant
from taolora_ros.kernels.quantize.gpu import MODES
from taolora_ros.kernels.stream_step.gpu_layers import layer_outputs, round_inputs
from taolora_ros.kernels.stream_step.gpu_plan import (
    FIELD_INPUTS,
    FIELD_RING,
    FIELD_STRIDE_16,
    LAYER_EMBED,
    LAYER_FIRST_BLOCK,
    LAYER_HEAD,
    SIZE_BLOCKS,
    SIZE_HISTORY,
    SIZE_PATCH,
    SIZE_STREAMS,
    SIZE_WIDEST_16,
    SIZE_WIDTH,
    field,
    number,
    offset,
)
from taolora_ros.kernels.stream_step.gpu_rows import answer, convolve, gather
from taolora_ros.kernels.stream_step.plan import CHUNK

LARGEST_GROUP = 64  # beyond it, registers spill on Orin however the kernel is cut


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
    streams = number(plan_ptr, SIZE_STREAMS)
    patch, history = number(plan_ptr, SIZE_PATCH), number(plan_ptr, SIZE_HISTORY)
    wide = number(plan_ptr, SIZE_WIDEST_16) * 16
    x_ptr = scratch_ptr + program * (3 * 16) * wide
    sum_ptr = x_ptr + 16 * wide
    hidden_ptr = sum_ptr + 16 * wide
    codes_ptr += program * 16 * wide
    scales_ptr += program * 16 * (wide // GROUP)
    row = tl.arange(0, 16)
    row_at = row[:, None] * wide

    # Skip and relation run one layer for each row of a patch, the correction a chain for a patch.
    first_layer = tl.where(is_correction, LAYER_EMBED, role)
    each = tl.where(is_correction, 1, patch)
    steps = tl.where(is_correction, 2 * number(plan_ptr, SIZE_BLOCKS) + 2, 1)
    count = tl.minimum(streams - first_stream, 16) * each
    count = tl.where(field(plan_ptr, first_layer, FIELD_INPUTS) > 0, count, 0)
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
            layer = tl.where(step == 0, first_layer, LAYER_FIRST_BLOCK + step - 1)
            layer = tl.where(is_head, LAYER_HEAD, layer)
            if step == 0:
                gather(
                    plan_ptr, floats_ptr, patches_ptr, rows_ptr, x_ptr, layer,
                    stream, place, start, depth, is_row, CHUNK,
                )  # fmt: skip
            if is_expand:
                convolve(
                    plan_ptr, floats_ptr, block_ptr, layer, hidden_ptr, sum_ptr, stream, hops,
                    is_row, CHUNK,
                )  # fmt: skip
                block_ptr += (
                    streams * field(plan_ptr, layer, FIELD_RING) * number(plan_ptr, SIZE_WIDTH)
                )
            tl.debug_barrier()
            source = tl.where(is_expand, 16 * wide, tl.where(is_head, 32 * wide, 0))
            low = round_inputs(
                plan_ptr, floats_ptr, halves_ptr, x_ptr + source, codes_ptr, scales_ptr, layer,
                is_contract, is_expand | is_head, is_transient, takes_both,
                GROUP, RANK, MODE, CHUNK,
            )  # fmt: skip
            tl.debug_barrier()
            columns = offset(plan_ptr, layer, FIELD_STRIDE_16)
            is_answer = is_head | (role < 2)
            for first_n in range(0, columns, COLUMNS):
                n = first_n + tl.arange(0, COLUMNS)
                y = layer_outputs(
                    plan_ptr, packed_ptr, floats_ptr, halves_ptr, codes_ptr, scales_ptr, layer,
                    low, takes_both, n, GROUP, RANK,
                )  # fmt: skip
                if is_answer:
                    answer(
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


def variant(group: int, rank: int, activation: Activation, capability: tuple[int, int]) -> Variant:
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
    return tuple(variant(*kind, capability) for kind in kinds)
