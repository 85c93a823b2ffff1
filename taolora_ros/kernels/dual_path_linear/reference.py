"""The dual-path linear layer: the definition, in plain NumPy.

    S[m, g, n] = Σ_{k in g} q[m, k] · w[k, n]                        exact integers
    y[m, n]    = Σ_g s[m, g] · t[g, n] · S[m, g, n]                  Q4(X)·Q4(W), both nibbles
               + I(transient[m]) · Σ_r (Σ_k x[m, k] · A[k, r]) · B[r, n]
               + bias[n]

M rows, K inputs, N outputs, R rank, G group size; x is smoothed and rotated as in
`kernels.rotate`, q and s as in `kernels.quantize`. The second nibble of a transient row is part
of its code, so this formula serves steady and transient rows alike. |S| is at most G·98·7: up to
G = 32 it fits into 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.kernels.quantize.reference import Quantized
from taolora_ros.quantization.int4 import Int4Weight, unpack
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.samples import Bools, Float32s


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """A layer's weights, unpacked once into what the products read."""

    codes: Float32s  # [K/G, G, N] integers −7..7
    scales: Float32s  # [K/G, N]
    down: Float32s  # [K, R] A
    up: Float32s  # [R, N] B
    bias: Float32s  # [N]


def prepare(weight: Int4Weight, low_rank: LowRank, bias: Float32s) -> Operands:
    """Unpack a layer's weights."""
    groups, outputs = weight.scale_codes.shape
    codes = unpack(weight.packed).astype(np.float32)
    return Operands(
        codes=codes.reshape(groups, -1, outputs),
        scales=weight.scales,
        down=low_rank.down.astype(np.float32),
        up=low_rank.up.astype(np.float32),
        bias=bias,
    )


def group_sums(quantized: Quantized, operands: Operands) -> Float32s:
    """The integer part S, `[K/G, M, N]`.

    Held in float32, where it is exact: |S| is at most 256·98·7, far below 2²⁴.
    """
    groups, size, _ = operands.codes.shape
    rows = quantized.codes.reshape(-1, groups, size).transpose(1, 0, 2).astype(np.float32)
    sums: Float32s = np.matmul(rows, operands.codes)
    return sums


def dual_path_linear(
    x: Float32s, quantized: Quantized, operands: Operands, is_transient: Bools
) -> Float32s:
    """Apply the layer.

    Args:
        x: `[M, K]` float32, the rotated activations at full precision; read where the mask is on.
        quantized: the same activations, rounded.
        operands: the layer.
        is_transient: `[M]` the mask: rows that take the low-rank path as well.

    Returns:
        `[M, N]` float32.
    """
    sums = group_sums(quantized, operands)
    sums *= quantized.scales.T[:, :, None]
    sums *= operands.scales[:, None, :]
    y: Float32s = sums.sum(axis=0)
    y += operands.bias
    if operands.up.shape[0] and is_transient.any():
        rows = x[is_transient][:, None, :]  # a product a row: the same however rows are batched
        y[is_transient] += (rows @ operands.down @ operands.up)[:, 0]
    return y
