"""The dual-path linear layer on the CPU: INT4 codes two a byte, exact integer group sums.

Products of integers, and which rows and outputs share a pass, are `cpu_product`'s. A and B are
read as the FP16 that they are stored in, which halves what a transient row fetches from the cache;
their products and sums are FP32.

M rows, K inputs, N outputs, R rank, G group size (8 or a larger power of two). N is padded with
zeros to a multiple of 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.dots import INPUTS, TIMES, UNIT
from taolora_ros.kernels.dual_path_linear import reference
from taolora_ros.kernels.dual_path_linear.cpu_product import Rows, emit_products
from taolora_ros.kernels.dual_path_linear.cpu_vectors import LANES, emit_projection, emit_spread
from taolora_ros.quantization.int4 import padded
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Float32s

_HALVES = 2  # FP16 in the bits of a float
_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')
_FLAGS = types.Array(types.boolean, 1, 'C')


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """A layer's weights as the kernel reads them; N padded."""

    codes: Codes  # [K/8·N·4] two a byte: input 8i + j in the low nibble, 8i + 4 + j in the high
    sums: Codes  # [K/G·N·2] −Σw of each group, int16 in two bytes
    scales: Float32s  # [K/G·N] a sixteenth of what a code of 1 is worth
    down: Float32s  # [R·K / 2] A by ranks, two FP16 in the bits of each float
    up: Float32s  # [R·N / 2] B, likewise
    bias: Float32s  # [N]

    @property
    def rank(self) -> int:
        """R."""
        return _HALVES * self.up.size // self.bias.size


def prepare(operands: reference.Operands) -> Operands:
    """Lay a layer's weights out for the kernel; A and B are rounded to FP16."""
    groups, size, outputs = operands.codes.shape
    more = (0, padded(outputs, LANES) - outputs)
    codes = np.pad(operands.codes, ((0, 0), (0, 0), more)).astype(np.int8)
    sums = -codes.sum(axis=1, dtype=np.int16)
    scales = np.pad(operands.scales, ((0, 0), more)) / np.float32(TIMES)
    return Operands(
        codes=_packed(codes.reshape(groups * size, -1)),
        sums=sums.reshape(-1).view(np.int8),
        scales=scales.reshape(-1),
        down=_paired(operands.down.T),
        up=_paired(np.pad(operands.up, ((0, 0), more))),
        bias=np.pad(operands.bias, more),
    )


def _packed(codes: Codes) -> Codes:
    """Codes `[K, N]`, two a byte as of `Operands`."""
    inputs, outputs = codes.shape
    low, high = codes.reshape(inputs // INPUTS, 2, INPUTS // 2, outputs).swapaxes(0, 1)
    both = (low & 0xF | high << 4).swapaxes(1, 2)
    flat: Codes = np.ascontiguousarray(both).reshape(-1)
    return flat


def _paired(values: Float32s) -> Float32s:
    """FP16 values, two in the bits of each float, `[size/2]`."""
    pairs: Float32s = values.astype(np.float16, order='C').reshape(-1).view(np.float32)
    return pairs


@vectors.vector_code(
    *(_FLOATS, _CODES, _FLOATS, _FLAGS, types.intp, types.intp, types.intp),
    *(_CODES, _CODES, _FLOATS, _FLOATS, _FLOATS, _FLOATS, types.intp, types.intp),
    *(_FLOATS, _FLOATS),
)
def dual_path_linear(builder: Any, *arguments: Any) -> None:
    """Apply a layer to rows.

    Takes the rotated activations `[M·K]` float32, read where the mask is on; their codes, raised
    by `UNIT.raised`, and scales `[M·K/G]`; the mask `[M]`; M, K/G and G; codes, sums, scales,
    A, B and bias of `Operands`; R and N; room for a row's low rank `[R]`; and `[M·N]` float32,
    which is overwritten.
    """
    x, codes, scales, is_transient, rows, groups, size = arguments[:7]
    weights, sums, weight_scales, down, up, bias, ranks, outputs, hidden, y = arguments[7:]
    inputs = builder.mul(groups, size)
    given = Rows(
        codes, scales, rows, groups, size, weights, sums, weight_scales, bias, outputs, y
    )  # fmt: skip
    emit_products(builder, UNIT, given)
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        flag = vectors.flag(builder, is_transient, row)
        with builder.if_then(flag):
            line = builder.gep(x, [builder.mul(row, inputs)])
            emit_projection(builder, line, inputs, down, ranks, hidden)
            target = builder.gep(y, [builder.mul(row, outputs)])
            emit_spread(builder, hidden, ranks, up, outputs, target)
