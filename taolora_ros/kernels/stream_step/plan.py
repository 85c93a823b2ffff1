"""The network as the GPU reads it: a table of integers, and an arena of weights for each type.

Shapes and offsets are data, so that one compiled kernel serves every model. The table begins with
the network's own sizes (`Size`), then come `len(Field)` integers for each layer in the order of
`Place` (expand and contract of each block last), then three for each input of skip, relation and
embedding: its kind, how many rows it lies back, its column. Offsets into the arenas count
sixteens, and rows of weights are padded to sixteens, so that loads are aligned and wide.

Letters as in `operands`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taolora_ros.kernels.stream_step.operands import Block, Layer, StreamOperands
from taolora_ros.quantization.int4 import pack, padded
from taolora_ros.samples import Float32s

ALIGNMENT = 16
CHUNK = 64  # columns that a program rounds at a time; no group is larger


class Size(enum.IntEnum):
    """Numbers of the whole network, at the beginning of the table."""

    STREAMS = 0
    PATCH = 1
    INPUTS = 2
    CHANNELS = 3
    ORDER = 4
    HISTORY = 5  # rows that are kept, a power of two
    WIDEST_16 = 6  # columns of a row of scratch, in sixteens
    WIDTH = 7
    HIDDEN_16 = 8  # outputs between the two halves of an expanding layer, in sixteens
    BLOCKS = 9
    SPREAD = 10  # offset
    OWN = 11  # offset
    FLOOR = 12  # offset of the number added to a mean square
    LEVELS = 13  # columns of the skip before its differences
    HIDDEN = 14


class Field(enum.IntEnum):
    """Numbers of a layer; a layer that is absent has no inputs."""

    INPUTS = 0
    OUTPUTS = 1
    STRIDE_16 = 2  # of a row of weights, in sixteens
    UNITS = 3  # offset, as those below
    STEADY = 4
    PACKED = 5
    SCALES = 6
    DOWN = 7
    UP = 8
    BIAS = 9
    GAIN = 10
    SOURCE = 11  # where the table tells of the inputs
    TAPS = 12
    KERNEL = 13
    DILATION = 14
    RING = 15  # past tokens that are kept, a power of two
    IS_WIDE = 16  # 1 if steady rows take both nibbles, else 0


class Place(enum.IntEnum):
    """Layers in the table."""

    SKIP = 0
    RELATION = 1
    EMBED = 2
    HEAD = 3
    FIRST_BLOCK = 4


class Kind(enum.IntEnum):
    """What an input is."""

    PADDING = 0
    ROW = 1
    DIFFERENCE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that a hop reads and never writes, and how much room it needs."""

    table: npt.NDArray[np.int32]
    packed: npt.NDArray[np.uint8]
    floats: Float32s
    halves: npt.NDArray[np.float16]
    rank: int  # R as it is multiplied: 0, or a power of two from 16 on
    widest: int  # columns of a row of scratch
    token_numbers: int  # float32 that the convolutions' past takes

    def size(self, name: Size) -> int:
        """A number of the whole network."""
        return int(self.table[name])


class _Arena:
    """Arrays of one type end to end, each at a multiple of sixteen numbers."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._kind = kind
        self._parts: list[npt.NDArray[np.generic]] = []
        self._count = 0

    def add(self, values: npt.NDArray[np.generic]) -> int:
        """Append an array; returns its offset in sixteens."""
        offset = self._count // ALIGNMENT
        flat = values.astype(self._kind).ravel()
        whole = np.pad(flat, (0, -flat.size % ALIGNMENT))
        self._parts.append(whole)
        self._count += whole.size
        return offset

    def whole(self) -> npt.NDArray[np.generic]:
        """All of it; never empty, so that it has an address."""
        return np.concatenate([*self._parts, np.zeros(ALIGNMENT, self._kind)])


class _Writer:
    """Fills the table and the arenas."""

    def __init__(self, operands: StreamOperands, rank: int) -> None:
        blocks = () if operands.correction is None else operands.correction.blocks
        self._rank = rank
        self.sizes = np.zeros(len(Size), np.int32)
        self.fields = np.zeros((Place.FIRST_BLOCK + 2 * len(blocks), len(Field)), np.int32)
        self.sources: list[npt.NDArray[np.int32]] = []
        self.packed = _Arena(np.uint8)
        self.floats = _Arena(np.float32)
        self.halves = _Arena(np.float16)

    def layer(self, place: int, layer: Layer, *, halves: int = 1) -> None:
        """Add a layer; its outputs are `halves` parts, each padded to the alignment."""
        part = layer.outputs // halves
        linear = layer.linear
        more = padded(part, ALIGNMENT) - part
        more_rank = self._rank - layer.rank if self._rank else 0

        def columns(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
            split = values.reshape(-1, halves, part)
            return np.pad(split, ((0, 0), (0, 0), (0, more)))

        codes = linear.codes.reshape(-1, layer.outputs).astype(np.int8)
        row = self.fields[place]
        row[Field.INPUTS], row[Field.OUTPUTS] = layer.inputs, layer.outputs
        row[Field.IS_WIDE] = layer.is_wide
        row[Field.STRIDE_16] = halves * padded(part, ALIGNMENT) // ALIGNMENT
        row[Field.UNITS] = self.floats.add(layer.units)
        row[Field.STEADY] = self.floats.add(layer.steady)
        row[Field.PACKED] = self.packed.add(columns(pack(codes)))
        row[Field.SCALES] = self.floats.add(columns(linear.scales))
        row[Field.DOWN] = self.halves.add(np.pad(linear.down, ((0, 0), (0, more_rank))))
        row[Field.UP] = self.halves.add(columns(np.pad(linear.up, ((0, more_rank), (0, 0)))))
        row[Field.BIAS] = self.floats.add(columns(linear.bias))

    def source(self, place: int, inputs: npt.NDArray[np.int32]) -> None:
        """Tell of a layer's inputs: kind, rows back and column of each, `[K, 3]`."""
        before = sum(part.size for part in self.sources)
        self.fields[place, Field.SOURCE] = self.sizes.size + self.fields.size + before
        self.sources.append(inputs)

    def table(self) -> npt.NDArray[np.int32]:
        """The whole table."""
        parts = [self.sizes, self.fields.ravel(), *(part.ravel() for part in self.sources)]
        return np.concatenate(parts)


def plan(operands: StreamOperands, streams: int) -> Plan:
    """Lay a network out for a number of streams."""
    rank = max(layer.rank for layer in operands.layers())
    rank = max(ALIGNMENT, 1 << (rank - 1).bit_length()) if rank else 0
    writer = _Writer(operands, rank)
    inputs, patch, group = operands.inputs, operands.patch, operands.group
    levels = padded(inputs, group)
    sizes = writer.sizes
    sizes[Size.STREAMS], sizes[Size.PATCH], sizes[Size.INPUTS] = streams, patch, inputs
    sizes[Size.CHANNELS], sizes[Size.ORDER] = operands.channels, operands.order
    sizes[Size.HISTORY] = _power_of_two(operands.history + patch)
    sizes[Size.LEVELS] = levels
    sizes[Size.SPREAD] = writer.floats.add(operands.spread)
    sizes[Size.OWN] = writer.floats.add(operands.own)
    sizes[Size.FLOOR] = writer.floats.add(np.array([operands.rms_floor], np.float32))
    writer.layer(Place.SKIP, operands.skip)
    lags = np.arange(1, operands.order)
    writer.source(Place.SKIP, _sections(operands.skip.inputs, levels, inputs, 1, lags))
    if operands.relation is not None:
        writer.layer(Place.RELATION, operands.relation)
        writer.source(Place.RELATION, _lagged(operands))
    tokens = 0
    if operands.correction is not None:
        correction = operands.correction
        width = correction.gain.shape[0]
        sizes[Size.WIDTH], sizes[Size.BLOCKS] = width, len(correction.blocks)
        writer.layer(Place.EMBED, correction.embed)
        ahead = -np.arange(patch)
        embedded = _sections(correction.embed.inputs, levels, inputs, 1 - patch, ahead)
        writer.source(Place.EMBED, embedded)
        for index, block in enumerate(correction.blocks):
            ring = _block(writer, Place.FIRST_BLOCK + 2 * index, block)
            tokens += streams * ring * width
        writer.layer(Place.HEAD, correction.head)
        writer.fields[Place.HEAD, Field.GAIN] = writer.floats.add(correction.gain)
    widest = max(max(layer.inputs, layer.outputs) for layer in operands.layers())
    widest = padded(widest, CHUNK)
    sizes[Size.WIDEST_16] = widest // ALIGNMENT
    return Plan(
        table=writer.table(),
        packed=writer.packed.whole().astype(np.uint8, copy=False),
        floats=writer.floats.whole().astype(np.float32, copy=False),
        halves=writer.halves.whole().astype(np.float16, copy=False),
        rank=rank,
        widest=widest,
        token_numbers=tokens,
    )


def _block(writer: _Writer, place: int, block: Block) -> int:
    """Add a block; returns how many past tokens it keeps."""
    hidden = block.contract.inputs
    writer.sizes[Size.HIDDEN] = hidden
    writer.sizes[Size.HIDDEN_16] = padded(hidden, ALIGNMENT) // ALIGNMENT
    writer.layer(place, block.expand, halves=2)
    writer.layer(place + 1, block.contract)
    row = writer.fields[place]
    row[Field.GAIN] = writer.floats.add(block.gain)
    row[Field.TAPS] = writer.floats.add(block.taps)
    row[Field.KERNEL], row[Field.DILATION] = block.taps.shape[0], block.dilation
    row[Field.RING] = _power_of_two(block.reach + 1)
    return int(row[Field.RING])


def _sections(
    count: int, levels: int, inputs: int, level_lag: int, lags: npt.NDArray[np.int_]
) -> npt.NDArray[np.int32]:
    """Inputs `[K, 3]` of a layer that reads a row's levels, padding, and differences at lags."""
    told = np.zeros((count, 3), np.int32)
    columns = np.arange(inputs)
    told[:inputs] = np.stack(np.broadcast_arrays(Kind.ROW, level_lag, columns), axis=1)
    for index, lag in enumerate(lags):
        first = levels + index * inputs
        rows = np.stack(np.broadcast_arrays(Kind.DIFFERENCE, lag, columns), axis=1)
        told[first : first + inputs] = rows
    return told


def _lagged(operands: StreamOperands) -> npt.NDArray[np.int32]:
    """Inputs `[K, 3]` of the relation: the first C columns of rows at its lags."""
    assert operands.relation is not None
    told = np.zeros((operands.relation.inputs, 3), np.int32)
    channels = operands.channels
    for index, lag in enumerate(operands.lags):
        rows = np.stack(np.broadcast_arrays(Kind.ROW, lag, np.arange(channels)), axis=1)
        told[index * channels : (index + 1) * channels] = rows
    return told


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
