"""The network's tensors in few flat arrays, as the CPU kernel reads them.

Handing an array to a compiled function costs about as much as multiplying 2,000 codes, so one
hop's call takes few of them: all floats in one, all codes in another, and where each part lies in
a table.

Letters as in `operands`, N padded as in `kernels.dual_path_linear.cpu`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taolora_ros.kernels.dual_path_linear.cpu import prepare
from taolora_ros.kernels.quantize.cpu import MODES
from taolora_ros.kernels.stream_step.operands import Layer, StreamOperands
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Float32s, Ints

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


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The network, read only."""

    floats: Float32s  # [·]
    codes: Codes  # [·] int8
    layers: Ints  # [layers, LAYER_FIELDS] in the order of `StreamOperands.layers`
    blocks: Ints  # [B, BLOCK_FIELDS]
    sizes: Ints  # [SIZES]
    lags: Ints  # of the relation


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
        joined = zeros(self._size, self._kind)
        if self._parts:
            np.concatenate(self._parts, out=joined)
        return joined


def zeros(size: int, kind: type[np.generic]) -> npt.NDArray[Any]:
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
