"""The network on the CPU in one compiled call: a hop of S streams, or a recording of one.

Up to 32 rows pass through a layer before the next one, so that its weights are fetched once for
all of them: tokens of as many streams, or of as many patches; or the P rows each of some patches,
which the narrow skip and relation take. Either way a row is worked out by the same code. A hop
allocates nothing.

A convolution's past lies in rings that are written at one place for all streams, whose tokens lie
side by side there, so that memory is read in order: a ring of zeros is the past of a segment that
starts, wherever it is written next.

Letters as in `operands`, n patches; tables and their columns as in `packing`, here `at`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from taolora_ros.kernels.jit import cached_jit, source_stamp
from taolora_ros.kernels.stream_step import memory
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights
from taolora_ros.kernels.stream_step.cpu_moves import is_finite, place, total
from taolora_ros.kernels.stream_step.cpu_rows import (
    drop_oldest,
    look_back,
    put_differences,
    take,
)
from taolora_ros.kernels.stream_step.cpu_tokens import correct, turn_rings
from taolora_ros.samples import Bools, Float32s, Ints

_NOT_FINITE = -1  # in place of the stamp, which is never negative


def stream_step(
    packed: at.Packed,
    state: memory.State,
    room: memory.Room,
    patches: Float32s,
    is_transient: Bools,
    prediction: Float32s,
    departure: Float32s,
) -> None:
    """Take one patch of each stream in; a process's first call compiles, or loads what is cached.

    Args:
        packed: the network.
        state: from `memory.start`; moved on.
        room: from `memory.room`, for as many tokens as streams, or `TOGETHER` of more.
        patches: `[S, P, I]` float32, finite; contiguous and writable, as all arrays here.
        is_transient: `[S]` the mask: streams whose token takes the low-rank path as well.
        prediction: `[S, P, I]` float32, overwritten.
        departure: `[S, P, C]` float32, overwritten.
    """
    stamp = _step()(
        packed.floats, packed.codes, packed.layers, packed.blocks, packed.sizes, packed.lags,
        state.past, state.is_empty, state.rings, state.places, state.pending,
        room.work, room.starts, room.rounded,
        patches, is_transient, prediction, departure,
    )  # fmt: skip
    assert stamp != _NOT_FINITE, 'ingest keeps NaN and infinity out of rows'


def run(
    packed: at.Packed,
    state: memory.State,
    patches: Float32s,
    is_transient: Bools,
    prediction: Float32s,
    departure: Float32s,
) -> None:
    """Take many patches of one stream in, as as many hops would, to the bit.

    Args:
        packed: the network.
        state: from `memory.start`, of one stream; moved on.
        patches: `[n, P, I]` float32, finite.
        is_transient: `[n]` the mask.
        prediction: `[n, P, I]` float32, overwritten.
        departure: `[n, P, C]` float32, overwritten.
    """
    count, patch, inputs = patches.shape
    if count == 0:
        return
    history, together = int(packed.sizes[at.HISTORY]), min(count, memory.TOGETHER)
    room = memory.room(packed, together)
    stamp = _run()(
        packed.floats, packed.codes, packed.layers, packed.blocks, packed.sizes, packed.lags,
        state.past[0], state.is_empty, state.rings, state.places, state.pending[0],
        room.work, room.starts, room.rounded,
        patches, is_transient, prediction, departure,
        np.empty((history + together * patch, inputs), np.float32),
        np.empty((1 + together, patch, inputs), np.float32),
    )  # fmt: skip
    assert stamp != _NOT_FINITE, 'ingest keeps NaN and infinity out of rows'


def clip_counts(
    packed: at.Packed, state: memory.State, patches: Float32s, clips: Float32s, counts: Ints
) -> None:
    """Count the levels and differences of patches that lie beyond a clip, before they are taken.

    Args:
        packed: the network.
        state: of the streams; left as it is.
        patches: `[S, P, I]` float32.
        clips: `[1 or 2, I]` float32 of levels and, where there are two, of differences.
        counts: `[S]` int64, overwritten.
    """
    _count()(packed.floats, packed.sizes, state.past, state.is_empty, patches, clips, counts)


@functools.cache
def _step() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit
    def step(  # type: ignore[no-untyped-def]
        floats, codes, layers, blocks, sizes, lags,
        past, is_empty, rings, places, pending, work, starts, rounded,
        patches, is_transient, prediction, departure,
    ):  # fmt: skip
        if not is_finite(patches.reshape(-1), patches.size):
            return _NOT_FINITE
        weights = Weights(floats, codes, layers, blocks, sizes, lags)
        scratch = Scratch(work, starts, rounded)
        (streams, patch, inputs), history = patches.shape, sizes[at.HISTORY]
        apart, newest = past.shape[1] * inputs, starts[memory.DIFFERENCES]
        for first in range(0, streams, memory.TOGETHER):
            last = min(first + memory.TOGETHER, streams)
            for s in range(first, last):
                take(past[s], patches[s], is_empty[s : s + 1], history)
                place_of = newest + (s - first) * apart
                put_differences(weights, scratch, past[s], past.shape[1], place_of)
            masks, predicted = is_transient[first:last], prediction[first:last]
            look_back(
                weights, scratch, past.reshape(-1), first * apart + history * inputs, apart,
                newest, apart, masks, predicted, departure[first:last],
            )  # fmt: skip
            if sizes[at.HAS_CORRECTION] == 1:
                found, flat = pending[first:last], predicted.reshape(-1)
                total(flat, 0, 0, flat, 0, 0, found.reshape(-1), 0, 0, 1, flat.size)
                correct(weights, scratch, rings, places, streams, first, False, masks, found)
            for s in range(first, last):
                drop_oldest(past[s], patch, history)
        turn_rings(weights, places, 1)
        return stamp  # in the code, so that what was cached is of these sources

    return step


@functools.cache
def _run() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit
    def run(  # type: ignore[no-untyped-def]
        floats, codes, layers, blocks, sizes, lags,
        past, is_empty, rings, places, pending, work, starts, rounded,
        patches, is_transient, prediction, departure, rows, corrections,
    ):  # fmt: skip
        if not is_finite(patches.reshape(-1), patches.size):
            return _NOT_FINITE
        weights = Weights(floats, codes, layers, blocks, sizes, lags)
        scratch = Scratch(work, starts, rounded)
        (tokens, patch, inputs), history = patches.shape, sizes[at.HISTORY]
        apart, together = patch * inputs, corrections.shape[0] - 1
        flat, before = rows.reshape(-1), pending.reshape(-1)
        corrected = corrections.reshape(-1)
        place(flat, 0, inputs, past.reshape(-1), 0, inputs, history, inputs)
        place(corrected, 0, 0, before, 0, 0, 1, apart)
        for first in range(0, tokens, together):
            many = min(together, tokens - first)
            new = patches[first : first + many].reshape(-1, inputs)
            take(rows, new, is_empty, history)
            put_differences(
                weights, scratch, rows, history + many * patch, starts[memory.DIFFERENCES]
            )  # fmt: skip
            newest = starts[memory.DIFFERENCES] + (many - 1) * apart
            masks, predicted = is_transient[first : first + many], prediction[first : first + many]
            look_back(
                weights, scratch, flat, history * inputs, apart, newest, -apart,
                masks, predicted, departure[first : first + many],
            )  # fmt: skip
            if sizes[at.HAS_CORRECTION] == 1:
                found, target = corrections[1 : 1 + many], predicted.reshape(-1)
                correct(weights, scratch, rings, places, 1, 0, True, masks, found)
                total(target, 0, 0, target, 0, 0, corrected, 0, 0, 1, target.size)
                place(corrected, 0, 0, corrected, many * apart, 0, 1, apart)
            drop_oldest(rows, many * patch, history)
            turn_rings(weights, places, many)
        place(past.reshape(-1), 0, inputs, flat, 0, inputs, history, inputs)
        place(before, 0, 0, corrected, 0, 0, 1, apart)
        return stamp

    return run


@functools.cache
def _count() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit
    def count(  # type: ignore[no-untyped-def]
        floats, sizes, past, is_empty, patches, clips, counts
    ):
        inputs, last = patches.shape[2], sizes[at.HISTORY] - 1
        spread = floats[sizes[at.SPREAD] : sizes[at.SPREAD] + inputs]
        for s in range(patches.shape[0]):
            beyond, before = 0, patches[s, 0] if is_empty[s] else past[s, last]
            for p in range(patches.shape[1]):
                now = patches[s, p]
                for i in range(inputs):
                    beyond += abs(now[i]) > clips[0, i]
                if clips.shape[0] > 1:
                    for i in range(inputs):
                        beyond += abs((now[i] - before[i]) / spread[i]) > clips[1, i]
                before = now
            counts[s] = beyond
        return stamp

    return count
