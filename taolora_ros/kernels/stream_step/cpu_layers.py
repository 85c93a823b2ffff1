"""One layer of the network on the CPU: inputs in scratch memory, outputs beside them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from taolora_ros.kernels.dual_path_linear.cpu import add_dense, add_low_rank, add_product
from taolora_ros.kernels.jit import copy, jit
from taolora_ros.kernels.quantize.cpu import quantize_row
from taolora_ros.kernels.rotate.cpu import rotate_row
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s, Ints


class Weights(NamedTuple):
    """The network within compiled code; fields as of `packing.Packed`."""

    floats: Float32s
    codes: Codes
    layers: Ints
    blocks: Ints
    sizes: Ints
    lags: Ints


class Scratch(NamedTuple):
    """Memory to work in within compiled code; fields as of `packing.State`."""

    work: Float32s
    starts: Ints
    rounded: Codes


@jit()
def matrix(values: Float32s, start: int, rows: int, columns: int) -> Float32s:
    """Part of a flat array as `[rows, columns]`."""
    return values[start : start + rows * columns].reshape(rows, columns)


@jit()
def inputs_of(weights: Weights, scratch: Scratch, layer: int | np.int64, rows: int) -> Float32s:
    """Where a layer's inputs are to be put, `[rows, K]`."""
    columns = weights.layers[layer, at.INPUTS]
    return matrix(scratch.work, scratch.starts[at.X], rows, columns)


@jit()
def apply(
    weights: Weights, scratch: Scratch, layer: int | np.int64, is_transient: Bools, rows: int
) -> Float32s:
    """Apply a layer to its inputs in scratch memory.

    Args:
        weights: the network.
        scratch: memory to work in.
        layer: its row in the table of layers.
        is_transient: the mask, of each row or, with one entry, of all.
        rows: how many.

    Returns:
        `[rows, N]` float32, padded; in scratch memory, until the next layer is applied.
    """
    floats, table, work = weights.floats, weights.layers[layer], scratch.work
    inputs, outputs, rank = table[at.INPUTS], table[at.OUTPUTS], table[at.RANK]
    stride = 1 if is_transient.shape[0] > 1 else 0
    x = matrix(work, scratch.starts[at.X], rows, inputs)
    y = matrix(work, scratch.starts[at.Y], rows, outputs)
    bias = floats[table[at.BIAS] : table[at.BIAS] + outputs]
    if table[at.DENSE] >= 0:
        dense = floats[table[at.DENSE] : table[at.DENSE] + inputs * outputs]
        for row in range(rows):
            copy(y[row], bias)
            add_dense(x[row], dense, y[row])
        return y
    groups, mode = inputs // weights.sizes[at.GROUP], weights.sizes[at.MODE]
    units = floats[table[at.UNITS] : table[at.UNITS] + inputs]
    steady = floats[table[at.STEADY] : table[at.STEADY] + groups]
    codes = weights.codes[table[at.CODES] : table[at.CODES] + inputs * outputs]
    scales = floats[table[at.SCALES] : table[at.SCALES] + groups * outputs]
    down = floats[table[at.DOWN] : table[at.DOWN] + rank * inputs // 2]  # two FP16 in a float
    up = floats[table[at.UP] : table[at.UP] + rank * outputs // 2]
    first = scratch.starts[at.TURNED]
    turned = work[first : first + inputs]
    first = scratch.starts[at.ROW_SCALES]
    row_scales = work[first : first + groups]
    first = scratch.starts[at.RANKS]
    hidden = work[first : first + rank]
    rounded = scratch.rounded[:inputs]
    is_wide = table[at.WIDE] == 1
    for row in range(rows):
        flag = is_transient[row * stride]
        rotate_row(x[row], units, weights.sizes[at.GROUP], turned)
        quantize_row(turned, steady, flag or is_wide, mode, rounded, row_scales)
        copy(y[row], bias)
        add_product(rounded, row_scales, codes, scales, y[row])
        if flag:
            add_low_rank(turned, down, up, hidden, y[row])
    return y
