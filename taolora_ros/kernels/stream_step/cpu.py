"""The network on the CPU in one compiled call: a hop of S streams, or a recording of one.

Up to 32 tokens pass through a layer before the next one, so that its weights are fetched once for
all of them: tokens of as many streams, or of as many patches. Either way a token is worked out by
the same code. The narrow skip and relation take the P rows of one patch at a time. Nothing is
allocated.
A convolution's past lies in rings that are written at one place for all streams: a ring of zeros
is the past of a segment that starts, wherever it is written next.

Letters as in `operands`, n patches; tables and their columns as in `packing`, here `at`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from taolora_ros.kernels.jit import cached_jit, source_stamp
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights
from taolora_ros.kernels.stream_step.cpu_rows import (
    drop_oldest,
    put_differences,
    put_token,
    relate,
    skip,
    take,
)
from taolora_ros.kernels.stream_step.cpu_tokens import correct, turn_rings
from taolora_ros.kernels.stream_step.cpu_vectors import is_finite, place, total
from taolora_ros.samples import Bools, Float32s, Ints

_NOT_FINITE = -1  # in place of the stamp, which is never negative


def stream_step(
    packed: at.Packed,
    state: at.State,
    room: at.Room,
    patches: Float32s,
    is_transient: Bools,
    prediction: Float32s,
    departure: Float32s,
) -> None:
    """Take one patch of each stream in; a process's first call compiles, or loads what is cached.

    Args:
        packed: the network.
        state: from `packing.start`; moved on.
        room: from `packing.room`, for as many tokens as streams, or `TOGETHER` of more.
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
    state: at.State,
    patches: Float32s,
    is_transient: Bools,
    prediction: Float32s,
    departure: Float32s,
) -> None:
    """Take many patches of one stream in, as as many hops would, to the bit.

    Args:
        packed: the network.
        state: from `packing.start`, of one stream; moved on.
        patches: `[n, P, I]` float32, finite.
        is_transient: `[n]` the mask.
        prediction: `[n, P, I]` float32, overwritten.
        departure: `[n, P, C]` float32, overwritten.
    """
    count, patch, inputs = patches.shape
    if count == 0:
        return
    history = int(packed.sizes[at.HISTORY])
    past = np.repeat(patches[0, :1], history, axis=0) if state.is_empty[0] else state.past[0]
    rows = np.concatenate([past[:history], patches.reshape(-1, inputs)])
    together = min(count, at.TOGETHER)
    room = at.room(packed, together, patches=together)
    stamp = _run()(
        packed.floats, packed.codes, packed.layers, packed.blocks, packed.sizes, packed.lags,
        state.rings, state.places, state.pending[0], room.work, room.starts, room.rounded,
        rows, is_transient, prediction, departure,
        np.empty((together, patch, inputs), np.float32),
    )  # fmt: skip
    assert stamp != _NOT_FINITE, 'ingest keeps NaN and infinity out of rows'
    state.past[0, :history] = rows[-history:]
    state.is_empty[0] = False


def clip_counts(
    packed: at.Packed, state: at.State, patches: Float32s, clips: Float32s, counts: Ints
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
        if not is_finite(patches.reshape(-1), 0, patches.size):
            return _NOT_FINITE
        weights = Weights(floats, codes, layers, blocks, sizes, lags)
        scratch = Scratch(work, starts, rounded)
        streams, history = patches.shape[0], sizes[at.HISTORY]
        newest, count = starts[at.DIFFERENCES], patches.shape[1] * patches.shape[2]
        for first in range(0, streams, at.TOGETHER):
            last = min(first + at.TOGETHER, streams)
            for s in range(first, last):
                mask, rows = is_transient[s : s + 1], past[s].reshape(-1)
                take(past[s], patches[s], is_empty[s : s + 1], history)
                put_differences(weights, scratch, rows, past.shape[1])
                skip(weights, scratch, rows, history, newest, mask, prediction[s])
                if sizes[at.CHANNELS] > 0:
                    relate(weights, scratch, rows, history, mask, departure[s])
                if sizes[at.HAS_CORRECTION] == 1:
                    put_token(weights, scratch, rows, history, newest, s - first)
                    corrected, correction = prediction[s].reshape(-1), pending[s].reshape(-1)
                    total(corrected, 0, corrected, 0, correction, 0, count)
                drop_oldest(past[s], history)
            if sizes[at.HAS_CORRECTION] == 1:
                masks, corrections = is_transient[first:last], pending[first:last]
                correct(
                    weights, scratch, rings, places, streams, first, False, masks, corrections
                )  # fmt: skip
        turn_rings(weights, places, 1)
        return stamp  # in the code, so that what was cached is of these sources

    return step


@functools.cache
def _run() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit
    def run(  # type: ignore[no-untyped-def]
        floats, codes, layers, blocks, sizes, lags,
        rings, places, pending, work, starts, rounded,
        rows, is_transient, prediction, departure, correction,
    ):  # fmt: skip
        if not is_finite(rows.reshape(-1), 0, rows.size):
            return _NOT_FINITE
        weights = Weights(floats, codes, layers, blocks, sizes, lags)
        scratch = Scratch(work, starts, rounded)
        history, patch, inputs = sizes[at.HISTORY], sizes[at.PATCH], sizes[at.ROW]
        count, tokens, together = patch * inputs, prediction.shape[0], correction.shape[0]
        before, corrections = pending.reshape(-1), correction.reshape(-1)
        for first in range(0, tokens, together):
            many = min(together, tokens - first)
            seen = rows[first * patch :].reshape(-1)
            put_differences(weights, scratch, seen, history + many * patch)
            for n in range(many):
                here, token = history + n * patch, first + n
                newest = starts[at.DIFFERENCES] + (many - 1 - n) * count
                mask = is_transient[token : token + 1]
                skip(weights, scratch, seen, here, newest, mask, prediction[token])
                if sizes[at.CHANNELS] > 0:
                    relate(weights, scratch, seen, here, mask, departure[token])
                if sizes[at.HAS_CORRECTION] == 1:
                    put_token(weights, scratch, seen, here, newest, n)
            if sizes[at.HAS_CORRECTION] == 1:
                masks, found = is_transient[first : first + many], correction[:many]
                correct(
                    weights, scratch, rings, places, 1, 0, True, masks, found
                )  # fmt: skip
                corrected = prediction[first : first + many].reshape(-1)
                total(corrected, 0, corrected, 0, before, 0, count)
                rest = (many - 1) * count
                total(corrected, count, corrected, count, corrections, 0, rest)
                place(before, 0, corrections, rest, count)
            turn_rings(weights, places, many)
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
