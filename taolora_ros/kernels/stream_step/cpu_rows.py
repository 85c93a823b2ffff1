"""Rows of one stream on the CPU: its history, the skip, the relation and the token."""

from __future__ import annotations

import numpy as np

from taolora_ros.kernels.jit import FUSED, copy, fill, jit
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights, apply, inputs_of
from taolora_ros.samples import Bools, Float32s

_ZERO = np.float32(0.0)


@jit()
def take(rows: Float32s, patch: Float32s, is_empty: Bools, history: int) -> None:
    """Put a patch `[P, I]` behind the past in `rows` `[H + P, I]`."""
    if is_empty[0]:
        is_empty[0] = False
        for row in range(history):
            copy(rows[row], patch[0])
    for row in range(patch.shape[0]):
        copy(rows[history + row], patch[row])


@jit()
def drop_oldest(rows: Float32s, history: int) -> None:
    """Keep the newest H rows."""
    patch = rows.shape[0] - history
    for row in range(history):
        copy(rows[row], rows[row + patch])


@jit()
def differ(weights: Weights, scratch: Scratch, rows: Float32s) -> None:
    """Put the rows' differences in units of σ into scratch memory, the newest first."""
    inputs, last = rows.shape[1], rows.shape[0] - 1
    spread = weights.floats[weights.sizes[at.SPREAD] : weights.sizes[at.SPREAD] + inputs]
    for back in range(last):
        first = scratch.starts[at.DIFFERENCES] + back * inputs
        target = scratch.work[first : first + inputs]
        newer, older = rows[last - back], rows[last - back - 1]
        for i in range(inputs):
            target[i] = (newer[i] - older[i]) / spread[i]


@jit(FUSED)
def skip(
    weights: Weights, scratch: Scratch, rows: Float32s, is_transient: Bools, prediction: Float32s
) -> None:
    """Predict the patch `[P, I]` at the end of `rows` from the rows before each."""
    work, sizes = scratch.work, weights.sizes
    order, history, group = sizes[at.ORDER], sizes[at.HISTORY], sizes[at.GROUP]
    inputs = rows.shape[1]
    patch, level = prediction.shape[0], (inputs + group - 1) // group * group
    x = inputs_of(weights, scratch, at.SKIP, patch)
    count = (order - 1) * inputs
    for p in range(patch):
        line = x[p]
        copy(line, rows[history + p - 1])
        fill(line[inputs:level], _ZERO)
        first = scratch.starts[at.DIFFERENCES] + (patch - p) * inputs
        copy(line[level:], work[first : first + count])
        fill(line[level + count :], _ZERO)
    y = apply(weights, scratch, at.SKIP, is_transient, patch)
    spread = weights.floats[sizes[at.SPREAD] : sizes[at.SPREAD] + inputs]
    for p in range(patch):
        line, target, last = x[p], prediction[p], rows[history + p - 1]
        own = weights.floats[sizes[at.OWN] : sizes[at.OWN] + inputs]
        for i in range(inputs):
            target[i] = own[i] * line[i]
        for lag in range(1, order):
            own = weights.floats[sizes[at.OWN] + lag * inputs : sizes[at.OWN] + (lag + 1) * inputs]
            seen = line[level + (lag - 1) * inputs : level + lag * inputs]
            for i in range(inputs):
                target[i] += own[i] * seen[i]
        for i in range(inputs):
            target[i] = (y[p, i] + target[i]) * spread[i] + last[i]


@jit()
def relate(
    weights: Weights, scratch: Scratch, rows: Float32s, is_transient: Bools, departure: Float32s
) -> None:
    """What the patch `[P, C]` at the end of `rows` departs from the relation."""
    history, layer = weights.sizes[at.HISTORY], weights.layers.shape[0] - 1
    patch, channels = departure.shape
    x = inputs_of(weights, scratch, layer, patch)
    for p in range(patch):
        line = x[p]
        for place in range(weights.lags.shape[0]):
            seen = rows[history + p - weights.lags[place]]
            copy(line[place * channels :], seen[:channels])
        fill(line[weights.lags.shape[0] * channels :], _ZERO)
    y = apply(weights, scratch, layer, is_transient, patch)
    for p in range(patch):
        for c in range(channels):
            departure[p, c] = rows[history + p, c] - y[p, c]


@jit()
def put_token(weights: Weights, scratch: Scratch, rows: Float32s, x: Float32s) -> None:
    """The embedding's input `[K]` for the patch at the end of `rows`."""
    inputs, group, patch = rows.shape[1], weights.sizes[at.GROUP], weights.sizes[at.PATCH]
    level = (inputs + group - 1) // group * group
    copy(x, rows[rows.shape[0] - 1])
    fill(x[inputs:level], _ZERO)
    for p in range(patch):
        first = scratch.starts[at.DIFFERENCES] + (patch - 1 - p) * inputs
        copy(x[level + p * inputs :], scratch.work[first : first + inputs])
    fill(x[level + patch * inputs :], _ZERO)
