"""What the CPU kernel writes: the state between two hops, and memory to work in.

S streams; other letters as in `operands`, tables of sizes as in `packing`, here `at`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.quantization.int4 import padded
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s, Ints

TOGETHER = 32  # rows that pass through a layer in one go: their scratch stays in the L2 cache

# Parts of the scratch memory, by where they start: inputs and outputs of the layer that runs, the
# embedding's inputs, the tokens' features; of all rows of a layer what they rotate to, their
# scales and their low rank; and differences of rows that follow each other, newest first.
X, Y, EMBEDDED, TOKEN, TURNED, ROW_SCALES, RANKS, DIFFERENCES, WORK_FIELDS = range(9)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a hop leaves to the next one."""

    past: Float32s  # [S, H + P, I] the newest H rows, then room for a patch
    is_empty: Bools  # [S] whether the next patch starts a segment
    rings: Float32s  # [·] of each block [reach, S, d]: its newest tokens
    places: Ints  # [B] where each block's rings are written next
    pending: Float32s  # [S, P, I] correction of the next patch

    def reset(self, packed: at.Packed, stream: int) -> None:
        """Forget one stream's past."""
        self.is_empty[stream] = True
        self.pending[stream] = 0.0
        streams, width = self.is_empty.shape[0], int(packed.sizes[at.WIDTH])
        for block in packed.blocks:
            first = int(block[at.RING]) * streams
            size = int((packed.sizes[at.KERNEL] - 1) * block[at.DILATION]) * streams * width
            ring = self.rings[first : first + size].reshape(-1, streams, width)
            ring[:, stream] = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The memory that a hop works in; nothing of it outlasts a call."""

    work: Float32s  # [·]
    starts: Ints  # [WORK_FIELDS] of the parts of `work`
    rounded: Codes  # [·] codes of all rows of a layer


def start(packed: at.Packed, streams: int) -> State:
    """The state before the first patch of every stream."""
    sizes = packed.sizes
    patch, row, history = (int(sizes[field]) for field in (at.PATCH, at.ROW, at.HISTORY))
    reaches = (sizes[at.KERNEL] - 1) * packed.blocks[:, at.DILATION]
    return State(
        past=np.zeros((streams, history + patch, row), np.float32),
        is_empty=np.ones(streams, np.bool_),
        rings=at.zeros(int(reaches.sum()) * streams * int(sizes[at.WIDTH]), np.float32),
        places=np.zeros(int(sizes[at.BLOCKS]), np.int64),
        pending=np.zeros((streams, patch, row), np.float32),
    )


def patches_together(patch: int) -> int:
    """How many patches of so many rows skip and relation take in one go."""
    return max(TOGETHER // patch, 1)


def room(packed: at.Packed, tokens: int) -> Room:
    """Memory to work in, for so many tokens in one go, no more than `TOGETHER`."""
    sizes, layers = packed.sizes, packed.layers
    patch, row, history = (int(sizes[field]) for field in (at.PATCH, at.ROW, at.HISTORY))
    rows = np.full(len(layers), tokens)  # of a layer that run together
    rows[at.SKIP] = min(tokens, patches_together(patch)) * patch
    if sizes[at.CHANNELS]:
        rows[-1] = rows[at.SKIP]
    inputs = rows * layers[:, at.INPUTS]
    embedded = tokens * int(layers[at.EMBED, at.INPUTS]) if sizes[at.HAS_CORRECTION] else 0
    starts, size = _consecutive(
        {
            X: int(inputs.max()),
            Y: int((rows * layers[:, at.OUTPUTS]).max()),
            EMBEDDED: embedded,
            TOKEN: tokens * int(sizes[at.WIDTH]),
            TURNED: int(inputs.max()),
            ROW_SCALES: int(inputs.max()) // int(sizes[at.GROUP]),
            RANKS: int((rows * layers[:, at.RANK]).max()),
            DIFFERENCES: tokens * (history + patch) * row,
        }.items()
    )
    return Room(
        work=at.zeros(size, np.float32),
        starts=starts,
        rounded=at.zeros(int(inputs.max()), np.int8),
    )


def _consecutive(sizes: Iterable[tuple[int, int]]) -> tuple[Ints, int]:
    """Where parts of these sizes start when laid end to end, and the size of all."""
    starts, size = np.zeros(WORK_FIELDS, np.int64), 0
    for part, count in sizes:
        starts[part] = size
        size += padded(count, at.ALIGNMENT)
    return starts, size
