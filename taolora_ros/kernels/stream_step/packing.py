"""The network's tensors in few flat arrays, as the CPU kernel reads them.

Handing an array to a compiled function costs about as much as multiplying 2,000 codes, so one
hop's call takes few of them: all floats in one, all codes in another, and where each part lies in
a table.

S streams; other letters as in `operands`, N padded as in `kernels.dual_path_linear.cpu`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taolora_ros.kernels.dual_path_linear.cpu import prepare
from taolora_ros.kernels.quantize.cpu import MODES
from taolora_ros.kernels.stream_step.operands import Layer, StreamOperands
from taolora_ros.quantization.int4 import padded
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s, Ints

# Columns of the table of layers: sizes, then where each part starts.
(
    INPUTS,  # K
    OUTPUTS,  # N, padded
    RANK,  # R
    WIDE,  # whether steady rows take both nibbles
    UNITS,  # in floats, as the next five
    STEADY,
    SCALES,
    DOWN,
    UP,
    BIAS,
    DENSE,  # in floats; −1 where the layer runs at 4 bits
    CODES,  # in codes, as the next one
    SUMS,
    LAYER_FIELDS,
) = range(14)

# Rows of that table. Numba would compile a function anew for each plain integer handed to it.
SKIP, EMBED, FIRST_BLOCK = np.int64(0), np.int64(1), np.int64(2)

# Entries of the table of sizes.
(
    PATCH,
    ROW,  # I
    CHANNELS,  # C
    ORDER,
    HISTORY,  # H
    GROUP,
    MODE,
    WIDTH,  # d
    HIDDEN,  # E
    BLOCKS,  # B
    KERNEL,  # taps of a convolution
    HAS_CORRECTION,
    SPREAD,  # in floats, as the next three
    OWN,
    GAIN,
    FLOOR,
    SIZES,
) = range(17)

# Columns of the table of blocks.
DILATION, TAPS, BLOCK_GAIN, RING, BLOCK_FIELDS = range(5)

# Parts of the scratch memory, by where they start: inputs and outputs of the layer that runs, the
# embedding's inputs, the tokens' features; of one row what it rotates to; of all rows of a layer
# their scales and their low rank; and differences of rows, the newest first.
X, Y, EMBEDDED, TOKEN, TURNED, ROW_SCALES, RANKS, DIFFERENCES, WORK_FIELDS = range(9)


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The network, read only."""

    floats: Float32s  # [·]
    codes: Codes  # [·] int8
    layers: Ints  # [layers, LAYER_FIELDS] in the order of `StreamOperands.layers`
    blocks: Ints  # [B, BLOCK_FIELDS]
    sizes: Ints  # [SIZES]
    lags: Ints  # of the relation


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a hop leaves to the next one."""

    past: Float32s  # [S, H + P, I] the newest H rows, then room for a patch
    is_empty: Bools  # [S] whether the next patch starts a segment
    rings: Float32s  # [·] of each block [S, reach, d]: its newest tokens
    places: Ints  # [B] where each block's rings are written next
    pending: Float32s  # [S, P, I] correction of the next patch

    def reset(self, packed: Packed, stream: int) -> None:
        """Forget one stream's past."""
        self.is_empty[stream] = True
        self.pending[stream] = 0.0
        streams, width = self.is_empty.shape[0], int(packed.sizes[WIDTH])
        for block in packed.blocks:
            reach = int((packed.sizes[KERNEL] - 1) * block[DILATION])
            first = int(block[RING]) * streams + stream * reach * width
            self.rings[first : first + reach * width] = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The memory that a hop works in; nothing of it outlasts a call."""

    work: Float32s  # [·]
    starts: Ints  # [WORK_FIELDS] of the parts of `work`
    rounded: Codes  # [·] codes of all rows of a layer


TOGETHER = 32  # tokens that pass through a layer in one go: their scratch stays in the L2 cache

ALIGNMENT = 32  # elements that every part of an array begins at a multiple of

_LINE = 64  # bytes


class _Arena:
    """Arrays laid end to end."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._kind = kind
        self._parts: list[npt.NDArray[np.generic]] = []
        self._size = 0

    def place(self, part: npt.NDArray[np.generic]) -> int:
        """Take a part; returns where it starts."""
        start = self._size
        self._parts.append(part.reshape(-1))
        self._size += part.size
        gap = -self._size % ALIGNMENT  # parts start where vectors do
        self._parts.append(np.zeros(gap, part.dtype))
        self._size += gap
        return start

    def joined(self) -> npt.NDArray[Any]:
        joined = _zeros(self._size, self._kind)
        if self._parts:
            np.concatenate(self._parts, out=joined)
        return joined


def _zeros(size: int, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Zeros that start with a line of the cache, so that no vector lies across two."""
    width = np.dtype(kind).itemsize
    zeros: npt.NDArray[Any] = np.zeros(size + _LINE // width, kind)
    first = -zeros.ctypes.data % _LINE // width
    return zeros[first : first + size]


def pack(operands: StreamOperands) -> Packed:
    """Lay the network out."""
    floats, codes = _Arena(np.float32), _Arena(np.int8)
    layers = [_place(layer, floats, codes) for layer in operands.layers()]
    sizes = np.zeros(SIZES, np.int64)
    sizes[[PATCH, ROW, CHANNELS, ORDER, HISTORY, GROUP, MODE]] = (
        operands.patch,
        operands.inputs,
        operands.channels,
        operands.order,
        operands.history,
        operands.group,
        MODES[operands.activation],
    )
    sizes[[SPREAD, OWN]] = floats.place(operands.spread), floats.place(operands.own)
    correction, blocks, ring = operands.correction, [], 0
    if correction is not None:
        width = correction.gain.shape[0]
        floor = np.array([operands.rms_floor], np.float32)
        sizes[[HAS_CORRECTION, WIDTH]] = 1, width
        sizes[[GAIN, FLOOR]] = floats.place(correction.gain), floats.place(floor)
        for block in correction.blocks:
            sizes[[HIDDEN, KERNEL]] = block.contract.inputs, block.taps.shape[0]
            starts = floats.place(block.taps), floats.place(block.gain)
            blocks.append([block.dilation, *starts, ring])
            ring += block.reach * width
        sizes[BLOCKS] = len(blocks)
    return Packed(
        floats=floats.joined(),
        codes=codes.joined(),
        layers=np.array(layers, np.int64),
        blocks=np.array(blocks, np.int64).reshape(-1, BLOCK_FIELDS),
        sizes=sizes,
        lags=np.array(operands.lags, np.int64),
    )


def _place(layer: Layer, floats: _Arena, codes: _Arena) -> list[int]:
    ready = prepare(layer.linear)
    outputs = ready.bias.shape[0]
    row = [0] * LAYER_FIELDS
    row[INPUTS], row[OUTPUTS] = layer.inputs, outputs
    row[BIAS] = floats.place(ready.bias)
    if layer.dense is not None:
        row[DENSE] = floats.place(np.pad(layer.dense, ((0, 0), (0, outputs - layer.outputs))))
        return row
    row[WIDE] = layer.is_wide
    row[RANK], row[DENSE] = ready.rank, -1
    row[UNITS], row[STEADY] = floats.place(layer.units), floats.place(layer.steady)
    row[SCALES] = floats.place(ready.scales)
    row[DOWN], row[UP] = floats.place(ready.down), floats.place(ready.up)
    row[CODES], row[SUMS] = codes.place(ready.codes), codes.place(ready.sums)
    return row


def start(packed: Packed, streams: int) -> State:
    """The state before the first patch of every stream."""
    sizes = packed.sizes
    patch, row, history = (int(sizes[field]) for field in (PATCH, ROW, HISTORY))
    reaches = (sizes[KERNEL] - 1) * packed.blocks[:, DILATION]
    return State(
        past=np.zeros((streams, history + patch, row), np.float32),
        is_empty=np.ones(streams, np.bool_),
        rings=_zeros(int(reaches.sum()) * streams * int(sizes[WIDTH]), np.float32),
        places=np.zeros(int(sizes[BLOCKS]), np.int64),
        pending=np.zeros((streams, patch, row), np.float32),
    )


def room(packed: Packed, tokens: int, *, patches: int = 1) -> Room:
    """Memory to work in.

    Args:
        packed: the network.
        tokens: that pass through a layer of the correction together; no more than `TOGETHER`.
        patches: of one stream, one after the other, that a call takes together.
    """
    sizes, layers = packed.sizes, packed.layers
    patch, row, history = (int(sizes[field]) for field in (PATCH, ROW, HISTORY))
    rows = np.full(len(layers), tokens)  # of a layer that run together
    rows[SKIP] = patch
    if sizes[CHANNELS]:
        rows[-1] = patch
    inputs = rows * layers[:, INPUTS]
    embedded = tokens * int(layers[EMBED, INPUTS]) if sizes[HAS_CORRECTION] else 0
    starts, size = _consecutive(
        {
            X: int(inputs.max()),
            Y: int((rows * layers[:, OUTPUTS]).max()),
            EMBEDDED: embedded,
            TOKEN: tokens * int(sizes[WIDTH]),
            TURNED: int(layers[:, INPUTS].max()),
            ROW_SCALES: int(inputs.max()) // int(sizes[GROUP]),
            RANKS: int((rows * layers[:, RANK]).max()),
            DIFFERENCES: (history + patches * patch) * row,
        }.items()
    )
    return Room(
        work=_zeros(size, np.float32),
        starts=starts,
        rounded=_zeros(int(inputs.max()), np.int8),
    )


def _consecutive(sizes: Iterable[tuple[int, int]]) -> tuple[Ints, int]:
    """Where parts of these sizes start when laid end to end, and the size of all."""
    starts, size = np.zeros(WORK_FIELDS, np.int64), 0
    for part, count in sizes:
        starts[part] = size
        size += padded(count, ALIGNMENT)
    return starts, size
