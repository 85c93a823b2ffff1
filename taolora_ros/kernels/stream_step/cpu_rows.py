"""Rows of one stream on the CPU: its history, the skip, the relation and the token.

Rows are `[·, I]` in one flat array, a patch begins at its row `first`, and the differences that
lead to it are in scratch memory, the newest first, from `newest` on.
"""

from __future__ import annotations

from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights, apply, apply_to_parts
from taolora_ros.kernels.stream_step.cpu_vectors import (
    clear_rows,
    differ,
    difference,
    place,
    place_rows,
    predict,
)
from taolora_ros.samples import Bools, Float32s


@jit
def take(rows: Float32s, patch: Float32s, is_empty: Bools, history: int) -> None:
    """Put a patch `[P, I]` behind the past in `rows` `[H + P, I]`."""
    flat, new, inputs = rows.reshape(-1), patch.reshape(-1), rows.shape[1]
    if is_empty[0]:
        is_empty[0] = False
        for row in range(history):
            place(flat, row * inputs, new, 0, inputs)
    place(flat, history * inputs, new, 0, new.shape[0])


@jit
def drop_oldest(rows: Float32s, history: int) -> None:
    """Keep the newest H rows."""
    flat, inputs = rows.reshape(-1), rows.shape[1]
    patch = rows.shape[0] - history
    for row in range(history):
        place(flat, row * inputs, flat, (row + patch) * inputs, inputs)


@jit
def put_differences(weights: Weights, scratch: Scratch, rows: Float32s, count: int) -> None:
    """Put the differences of the first `count` rows, in units of σ, into scratch memory."""
    inputs, target = weights.sizes[at.ROW], scratch.starts[at.DIFFERENCES]
    spread = weights.sizes[at.SPREAD]
    differ(scratch.work, target, rows, 0, weights.floats, spread, count, inputs)


@jit
def skip(
    weights: Weights,
    scratch: Scratch,
    rows: Float32s,
    first: int,
    newest: int,
    is_transient: Bools,
    prediction: Float32s,
) -> None:
    """Predict a patch `[P, I]` from the rows before each of its own."""
    work, sizes, floats = scratch.work, weights.sizes, weights.floats
    order, group, inputs = sizes[at.ORDER], sizes[at.GROUP], sizes[at.ROW]
    patch, level = sizes[at.PATCH], (inputs + group - 1) // group * group
    width, x = weights.layers[at.SKIP, at.INPUTS], scratch.starts[at.X]
    last, before, count = (first - 1) * inputs, newest + patch * inputs, (order - 1) * inputs
    if weights.layers[at.SKIP, at.DENSE] >= 0:
        clear_rows(work, x, width, patch, width)
        place_rows(work, x, width, rows, last, inputs, patch, inputs)
        place_rows(work, x + level, width, work, before, -inputs, patch, count)
        apply(weights, scratch, at.SKIP, x, is_transient, patch)
    else:
        apply_to_parts(
            floats, weights.codes, weights.layers, sizes,
            work, scratch.starts, scratch.rounded, at.SKIP,
            rows, last, inputs, inputs, work, before, -inputs, count, is_transient, 0, patch,
        )  # fmt: skip
    outputs, y = weights.layers[at.SKIP, at.OUTPUTS], scratch.starts[at.Y]
    predict(
        prediction.reshape(-1), 0, rows, last, floats, sizes[at.SPREAD], work, y,
        floats, sizes[at.OWN], work, before, outputs, patch, order, inputs,
    )  # fmt: skip


@jit
def relate(
    weights: Weights,
    scratch: Scratch,
    rows: Float32s,
    first: int,
    is_transient: Bools,
    departure: Float32s,
) -> None:
    """What a patch `[P, C]` departs from the relation."""
    work, inputs, layer = scratch.work, weights.sizes[at.ROW], weights.layers.shape[0] - 1
    patch, channels = departure.shape
    width, x = weights.layers[layer, at.INPUTS], scratch.starts[at.X]
    lags = weights.lags.shape[0]
    end = lags * channels
    clear_rows(work, x + end, width, patch, width - end)
    for lag in range(lags):
        seen = (first - weights.lags[lag]) * inputs
        place_rows(work, x + lag * channels, width, rows, seen, inputs, patch, channels)
    apply(weights, scratch, layer, x, is_transient, patch)
    outputs, y = weights.layers[layer, at.OUTPUTS], scratch.starts[at.Y]
    target = departure.reshape(-1)
    for p in range(patch):
        seen = (first + p) * inputs
        difference(target, p * channels, rows, seen, work, y + p * outputs, channels)


@jit
def put_token(
    weights: Weights, scratch: Scratch, rows: Float32s, first: int, newest: int, token: int
) -> None:
    """Put the embedding's input of a patch into scratch memory, as that of a token."""
    work, sizes = scratch.work, weights.sizes
    inputs, group, patch = sizes[at.ROW], sizes[at.GROUP], sizes[at.PATCH]
    level = (inputs + group - 1) // group * group
    width = weights.layers[at.EMBED, at.INPUTS]
    x = scratch.starts[at.EMBEDDED] + token * width
    clear_rows(work, x, 0, 1, width)
    place(work, x, rows, (first + patch - 1) * inputs, inputs)
    oldest = newest + (patch - 1) * inputs
    place_rows(work, x + level, inputs, work, oldest, -inputs, patch, inputs)
