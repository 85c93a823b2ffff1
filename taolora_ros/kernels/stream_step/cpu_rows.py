"""What the rows of patches say on the CPU: skip, relation and the tokens' inputs.

Rows are `[·, I]` in one flat array. Patches begin `apart` elements from each other, the first one
at `first`: those of one stream follow each other, those of several have their own past in between.
The differences that lead to the first patch are in scratch memory, the newest first, from `newest`
on; those that lead to the next ones lie `backward` elements apart.
"""

from __future__ import annotations

from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.stream_step import memory
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_differences import differ, predict
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights, apply, apply_to_parts
from taolora_ros.kernels.stream_step.cpu_moves import clear, difference, place
from taolora_ros.samples import Bools, Float32s

_patches_together = jit(memory.patches_together)


@jit
def take(rows: Float32s, patch: Float32s, is_empty: Bools, history: int) -> None:
    """Put rows `[n, I]` behind the past in `rows` `[H + n or more, I]`."""
    flat, new, (count, inputs) = rows.reshape(-1), patch.reshape(-1), patch.shape
    if is_empty[0]:
        is_empty[0] = False
        place(flat, 0, inputs, new, 0, 0, history, inputs)
    place(flat, history * inputs, inputs, new, 0, inputs, count, inputs)


@jit
def drop_oldest(rows: Float32s, count: int, history: int) -> None:
    """Keep the newest H rows of H + `count`."""
    flat, inputs = rows.reshape(-1), rows.shape[1]
    place(flat, 0, inputs, flat, count * inputs, inputs, history, inputs)


@jit
def put_differences(
    weights: Weights, scratch: Scratch, rows: Float32s, count: int, target: int
) -> None:
    """Put the differences of the first `count` rows, in units of σ, into scratch memory."""
    inputs, spread = weights.sizes[at.ROW], weights.sizes[at.SPREAD]
    differ(scratch.work, target, rows.reshape(-1), 0, weights.floats, spread, count, inputs)


@jit
def look_back(
    weights: Weights,
    scratch: Scratch,
    rows: Float32s,
    first: int,
    apart: int,
    newest: int,
    backward: int,
    is_transient: Bools,
    prediction: Float32s,
    departure: Float32s,
) -> None:
    """Predict patches `[n, P, I]` without a correction; what depart `[n, P, C]` from the relation.

    The inputs of their embedding are put into scratch memory.
    """
    count, some = prediction.shape[0], _patches_together(prediction.shape[1])
    for begin in range(0, count, some):
        end = min(begin + some, count)
        here, there = first + begin * apart, newest + begin * backward
        mask = is_transient[begin:end]
        predictions = prediction[begin:end]
        _skip(weights, scratch, rows, here, apart, there, backward, mask, predictions)
        if weights.sizes[at.CHANNELS] > 0:
            _relate(weights, scratch, rows, here, apart, mask, departure[begin:end])
    if weights.sizes[at.HAS_CORRECTION] == 1:
        _put_tokens(weights, scratch, rows, first, apart, newest, backward, count)


@jit
def _skip(
    weights: Weights,
    scratch: Scratch,
    rows: Float32s,
    first: int,
    apart: int,
    newest: int,
    backward: int,
    is_transient: Bools,
    prediction: Float32s,
) -> None:
    """Predict patches from the rows before each of their own."""
    work, sizes, floats = scratch.work, weights.sizes, weights.floats
    order, group, (patches, patch, inputs) = sizes[at.ORDER], sizes[at.GROUP], prediction.shape
    level = (inputs + group - 1) // group * group
    width, x = weights.layers[at.SKIP, at.INPUTS], scratch.starts[memory.X]
    last, before, count = first - inputs, newest + patch * inputs, (order - 1) * inputs
    if weights.layers[at.SKIP, at.DENSE] >= 0:
        clear(work, x, width, patches * patch, width)
        for n in range(patches):
            line = x + n * patch * width
            place(work, line, width, rows, last + n * apart, inputs, patch, inputs)
            there = before + n * backward
            place(work, line + level, width, work, there, -inputs, patch, count)
        apply(weights, scratch, at.SKIP, x, is_transient, patch)
    else:
        apply_to_parts(
            floats, weights.codes, weights.layers, sizes,
            work, scratch.starts, scratch.rounded, at.SKIP,
            rows, last, apart, inputs, inputs, work, before, backward, -inputs, count,
            is_transient, patches, patch,
        )  # fmt: skip
    outputs, target = weights.layers[at.SKIP, at.OUTPUTS], prediction.reshape(-1)
    for n in range(patches):
        y = scratch.starts[memory.Y] + n * patch * outputs
        predict(
            target, n * patch * inputs, rows, last + n * apart, floats, sizes[at.SPREAD],
            work, y, floats, sizes[at.OWN], work, before + n * backward,
            outputs, patch, order, inputs,
        )  # fmt: skip


@jit
def _relate(
    weights: Weights,
    scratch: Scratch,
    rows: Float32s,
    first: int,
    apart: int,
    is_transient: Bools,
    departure: Float32s,
) -> None:
    """What patches depart from the relation."""
    work, inputs, layer = scratch.work, weights.sizes[at.ROW], weights.layers.shape[0] - 1
    patches, patch, channels = departure.shape
    width, x, lags = weights.layers[layer, at.INPUTS], scratch.starts[memory.X], weights.lags
    end = lags.shape[0] * channels
    clear(work, x + end, width, patches * patch, width - end)
    for n in range(patches):
        for lag in range(lags.shape[0]):
            seen = first + n * apart - lags[lag] * inputs
            line = x + n * patch * width + lag * channels
            place(work, line, width, rows, seen, inputs, patch, channels)
    apply(weights, scratch, layer, x, is_transient, patch)
    outputs, target = weights.layers[layer, at.OUTPUTS], departure.reshape(-1)
    for n in range(patches):
        to, y = n * patch * channels, scratch.starts[memory.Y] + n * patch * outputs
        difference(
            target, to, channels, rows, first + n * apart, inputs, work, y, outputs,
            patch, channels,
        )  # fmt: skip


@jit
def _put_tokens(
    weights: Weights,
    scratch: Scratch,
    rows: Float32s,
    first: int,
    apart: int,
    newest: int,
    backward: int,
    count: int,
) -> None:
    """Put the embedding's inputs of patches into scratch memory."""
    work, sizes = scratch.work, weights.sizes
    inputs, group, patch = sizes[at.ROW], sizes[at.GROUP], sizes[at.PATCH]
    level = (inputs + group - 1) // group * group
    width, x = weights.layers[at.EMBED, at.INPUTS], scratch.starts[memory.EMBEDDED]
    clear(work, x, width, count, width)
    last, oldest = first + (patch - 1) * inputs, newest + (patch - 1) * inputs
    place(work, x, width, rows, last, apart, count, inputs)
    for n in range(count):
        to, there = x + n * width + level, oldest + n * backward
        place(work, to, inputs, work, there, -inputs, patch, inputs)
