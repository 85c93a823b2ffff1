"""The dual-path linear layer on the CPU: INT4 codes unpacked once, group sums in 16 bits.

Neighboring outputs are summed side by side, in vectors that stay in registers through all inputs
(`cpu_vectors`). A and B are read as the FP16 that they are stored in, which halves what a
transient row fetches from the cache; products and sums are FP32.

M rows, K inputs, N outputs, R rank, G group size (8 or a larger power of two). N is padded with
zeros to a multiple of 32, R to one of 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.kernels.dual_path_linear import reference
from taolora_ros.kernels.dual_path_linear.cpu_vectors import (
    LANES,
    RANKS,
    WIDE,
    dense,
    dense_wide,
    product,
    product_wide,
    project,
    spread,
    spread_wide,
)
from taolora_ros.kernels.jit import copy, jit
from taolora_ros.quantization.int4 import padded
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s

_HALVES = 2  # FP16 in the bits of a float


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """A layer's weights as the kernel reads them; N and R padded."""

    codes: Codes  # [K·N] int8 −7..7
    scales: Float32s  # [K/G·N]
    down: Float32s  # [R/8·K·8 / 2] A, two FP16 in the bits of each float
    up: Float32s  # [R·N / 2] B, likewise
    bias: Float32s  # [N]

    @property
    def rank(self) -> int:
        """R."""
        return _HALVES * self.up.size // self.bias.size


def prepare(operands: reference.Operands) -> Operands:
    """Lay a layer's weights out for the kernel; A and B are rounded to FP16."""
    groups, size, outputs = operands.codes.shape
    rank = operands.up.shape[0]
    more_outputs = (0, padded(outputs, LANES) - outputs)
    more_ranks = (0, padded(rank, RANKS) - rank)
    codes = operands.codes.reshape(groups * size, outputs).astype(np.int8)
    down = np.pad(operands.down, ((0, 0), more_ranks))
    return Operands(
        codes=np.pad(codes, ((0, 0), more_outputs)).reshape(-1),
        scales=np.pad(operands.scales, ((0, 0), more_outputs)).reshape(-1),
        down=_paired(down.reshape(groups * size, -1, RANKS).swapaxes(0, 1)),
        up=_paired(np.pad(operands.up, (more_ranks, more_outputs))),
        bias=np.pad(operands.bias, more_outputs),
    )


def _paired(values: Float32s) -> Float32s:
    """FP16 values, two in the bits of each float, `[size/2]`."""
    pairs: Float32s = values.astype(np.float16).reshape(-1).view(np.float32)
    return pairs


@jit()
def dual_path_linear(
    x: Float32s,
    codes: Codes,
    scales: Float32s,
    is_transient: Bools,
    weight_codes: Codes,
    weight_scales: Float32s,
    down: Float32s,
    up: Float32s,
    bias: Float32s,
    hidden: Float32s,
    total: Float32s,
    y: Float32s,
) -> None:
    """Apply the layer.

    Args:
        x: `[M, K]` float32, the rotated activations; read where the mask is on.
        codes: `[M, K]` int8, the same activations, rounded.
        scales: `[M, K/G]` float32 of `codes`.
        is_transient: `[M]` the mask.
        weight_codes: of `Operands`, as the next four.
        weight_scales: see there.
        down: see there.
        up: see there.
        bias: see there.
        hidden: `[R]` float32, padded, scratch.
        total: `[N]` float32, padded, scratch.
        y: `[M, N]` float32, not padded, overwritten.
    """
    for row in range(x.shape[0]):
        copy(total, bias)
        add_product(codes[row], scales[row], weight_codes, weight_scales, total)
        if is_transient[row]:
            add_low_rank(x[row], down, up, hidden, total)
        copy(y[row], total[: y.shape[1]])


@jit()
def add_product(
    codes: Codes,
    scales: Float32s,
    weight_codes: Codes,
    weight_scales: Float32s,
    total: Float32s,
) -> None:
    """Add Q4(X)·Q4(W) of one row to `total`."""
    groups, outputs, n = scales.shape[0], total.shape[0], 0
    size = codes.shape[0] // groups
    while n + WIDE <= outputs:
        product_wide(codes, scales, groups, size, weight_codes, weight_scales, outputs, n, total)
        n += WIDE
    while n < outputs:
        product(codes, scales, groups, size, weight_codes, weight_scales, outputs, n, total)
        n += LANES


@jit()
def add_low_rank(
    x: Float32s, down: Float32s, up: Float32s, hidden: Float32s, total: Float32s
) -> None:
    """Add (X·A)·B of one row to `total`; `hidden` `[R]` is scratch."""
    for rank in range(0, hidden.shape[0], RANKS):
        project(x, x.shape[0], down, rank, hidden)
    ranks, outputs, n = hidden.shape[0], total.shape[0], 0
    while n + WIDE <= outputs:
        spread_wide(hidden, ranks, up, outputs, n, total)
        n += WIDE
    while n < outputs:
        spread(hidden, ranks, up, outputs, n, total)
        n += LANES


@jit()
def add_dense(x: Float32s, weight: Float32s, total: Float32s) -> None:
    """Add X·W of one row in FP32 to `total` `[N]`; the weight `[K·N]`, K a multiple of 8."""
    inputs, outputs, n = x.shape[0], total.shape[0], 0
    while n + WIDE <= outputs:
        dense_wide(x, inputs, weight, outputs, n, total)
        n += WIDE
    while n < outputs:
        dense(x, inputs, weight, outputs, n, total)
        n += LANES
