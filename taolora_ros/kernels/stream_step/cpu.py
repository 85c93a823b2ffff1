"""One hop of the network for S streams on the CPU, in one compiled call.

Up to 32 streams pass through a layer before the next one, so that its weights are fetched once for
all of them; the narrow skip and relation take the P rows of one stream at a time. Nothing is
allocated.
A convolution's past lies in rings that are written at one place for all streams: a ring of zeros
is the past of a segment that starts, wherever it is written next.

Letters as in `operands`; tables and their columns as in `packing`, here `at`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from taolora_ros.kernels.jit import cached_jit, source_stamp
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights, inputs_of
from taolora_ros.kernels.stream_step.cpu_rows import (
    differ,
    drop_oldest,
    put_token,
    relate,
    skip,
    take,
)
from taolora_ros.kernels.stream_step.cpu_tokens import correct, turn_rings
from taolora_ros.samples import Bools, Float32s, Ints

_NOT_FINITE = -1  # in place of the stamp, which is never negative


def stream_step(
    packed: at.Packed,
    state: at.State,
    patches: Float32s,
    is_transient: Bools,
    prediction: Float32s,
    departure: Float32s,
) -> None:
    """Take one patch of each stream in; a process's first call compiles, or loads what is cached.

    Args:
        packed: the network.
        state: from `packing.start`; moved on.
        patches: `[S, P, I]` float32, finite; contiguous and writable, as all arrays here.
        is_transient: `[S]` the mask: streams whose token takes the low-rank path as well.
        prediction: `[S, P, I]` float32, overwritten.
        departure: `[S, P, C]` float32, overwritten.
    """
    stamp = _step()(
        packed.floats, packed.codes, packed.layers, packed.blocks, packed.sizes, packed.lags,
        state.past, state.is_empty, state.rings, state.places, state.pending,
        state.work, state.starts, state.rounded,
        patches, is_transient, prediction, departure,
    )  # fmt: skip
    assert stamp != _NOT_FINITE, 'ingest keeps NaN and infinity out of rows'


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
        for value in patches.flat:
            if not np.isfinite(value):
                return _NOT_FINITE
        weights = Weights(floats, codes, layers, blocks, sizes, lags)
        scratch = Scratch(work, starts, rounded)
        streams, history = patches.shape[0], sizes[at.HISTORY]
        for s in range(streams):
            rows, mask = past[s], is_transient[s : s + 1]
            take(rows, patches[s], is_empty[s : s + 1], history)
            differ(weights, scratch, rows)
            skip(weights, scratch, rows, mask, prediction[s])
            if sizes[at.CHANNELS] > 0:
                relate(weights, scratch, rows, mask, departure[s])
        if sizes[at.HAS_CORRECTION] == 1:
            for first in range(0, streams, at.TOGETHER):
                last = min(first + at.TOGETHER, streams)
                x = inputs_of(weights, scratch, at.EMBED, last - first)
                for s in range(first, last):
                    differ(weights, scratch, past[s])
                    put_token(weights, scratch, past[s], x[s - first])
                    for p in range(patches.shape[1]):
                        for i in range(patches.shape[2]):
                            prediction[s, p, i] += pending[s, p, i]
                masks, corrections = is_transient[first:last], pending[first:last]
                correct(
                    weights, scratch, rings, places, first, streams, masks, corrections
                )  # fmt: skip
            turn_rings(weights, places)
        for s in range(streams):
            drop_oldest(past[s], history)
        return stamp  # in the code, so that what was cached is of these sources

    return step


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
