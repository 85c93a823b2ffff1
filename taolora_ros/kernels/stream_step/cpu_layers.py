"""One layer of the network on the CPU: inputs and outputs in scratch memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.dots import UNIT
from taolora_ros.kernels.dual_path_linear.cpu_product import Rows, emit_products
from taolora_ros.kernels.dual_path_linear.cpu_vectors import (
    emit_dense,
    emit_projection,
    emit_spread,
)
from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.quantize.cpu import emit_rounding
from taolora_ros.kernels.rotate.cpu import emit_rotation
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s, Ints

_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')
_FLAGS, _INTS = types.Array(types.boolean, 1, 'C'), types.Array(types.int64, 1, 'C')
_TABLE = types.Array(types.int64, 2, 'C')


class Weights(NamedTuple):
    """The network within compiled code; fields as of `packing.Packed`."""

    floats: Float32s
    codes: Codes
    layers: Ints
    blocks: Ints
    sizes: Ints
    lags: Ints


class Scratch(NamedTuple):
    """Memory to work in within compiled code; fields as of `packing.Room`."""

    work: Float32s
    starts: Ints
    rounded: Codes


@vectors.vector_code(
    *(_FLOATS, _CODES, _TABLE, _INTS, _FLOATS, _INTS, _CODES, types.intp),
    *(_FLOATS, types.intp, types.intp, types.intp),
    *(_FLOATS, types.intp, types.intp, types.intp),
    *(_FLAGS, types.intp, types.intp),
)
def apply_to_parts(builder: Any, *arguments: Any) -> None:
    """Apply a layer to rows; its outputs `[M, N]`, padded, are put in Y of the scratch memory.

    An input row is one part, padded to whole groups, and another one, padded to K; a layer in FP32
    takes whole rows as one part.

    Arguments are floats, codes, layers and sizes of `Weights`, work, starts and rounded of
    `Scratch`, the layer's row in the table of layers; of each part the array, where it begins, how
    far rows lie apart and how many elements there are; the mask, the step from the flag of a row
    to that of the next one, and M.
    """
    layer = _Layer.of(builder, arguments[:8])
    parts, (is_transient, stride, rows) = arguments[8:16], arguments[16:]
    is_dense = builder.icmp_signed('>=', layer.field(at.DENSE), ir.Constant(vectors.INDEX, 0))
    with builder.if_else(is_dense) as (dense, rounded):
        with dense:
            _emit_dense_rows(builder, layer, parts[:4], rows)
        with rounded:
            _emit_rounded_rows(builder, layer, parts, is_transient, stride, rows)


@dataclass(frozen=True)
class _Layer:
    """A layer within LLVM's code: pointers, and numbers where they are asked for."""

    builder: Any
    floats: Any
    codes: Any
    table: Any
    sizes: Any
    work: Any
    starts: Any
    rounded: Any

    @staticmethod
    def of(builder: Any, arguments: Sequence[Any]) -> _Layer:
        floats, codes, layers, sizes, work, starts, rounded, layer = arguments
        first = builder.mul(layer, ir.Constant(vectors.INDEX, at.LAYER_FIELDS))
        table = builder.gep(layers, [first])
        return _Layer(builder, floats, codes, table, sizes, work, starts, rounded)

    def field(self, name: int) -> Any:
        """A number of the layer."""
        return self._number(self.table, name)

    def size(self, name: int) -> Any:
        """A number of the network."""
        return self._number(self.sizes, name)

    def part(self, name: int) -> Any:
        """Where a part of the floats begins."""
        return self.builder.gep(self.floats, [self.field(name)])

    def bytes(self, name: int) -> Any:
        """Where a part of the codes begins."""
        return self.builder.gep(self.codes, [self.field(name)])

    def room(self, name: int) -> Any:
        """Where a part of the scratch memory begins."""
        return self.builder.gep(self.work, [self._number(self.starts, name)])

    def _number(self, table: Any, name: int) -> Any:
        return vectors.element(self.builder, table, ir.Constant(vectors.INDEX, name))


def _emit_dense_rows(builder: Any, layer: _Layer, part: Sequence[Any], rows: Any) -> None:
    x, first, row_stride, _ = part
    inputs, outputs = layer.field(at.INPUTS), layer.field(at.OUTPUTS)
    bias, weight, y = layer.part(at.BIAS), layer.part(at.DENSE), layer.room(at.Y)
    with vectors.steps(builder, ir.Constant(vectors.INDEX, 0), rows, 1) as row:
        line = builder.gep(x, [builder.add(first, builder.mul(row, row_stride))])
        target = builder.gep(y, [builder.mul(row, outputs)])
        vectors.chunks(builder, outputs, lambda some: some.store(some.load(bias), target))
        emit_dense(builder, line, inputs, weight, outputs, target)


def _emit_rounded_rows(
    builder: Any, layer: _Layer, parts: Sequence[Any], is_transient: Any, stride: Any, rows: Any
) -> None:
    inputs, outputs, ranks = (layer.field(of) for of in (at.INPUTS, at.OUTPUTS, at.RANK))
    group, zero = layer.size(at.GROUP), ir.Constant(vectors.INDEX, 0)
    groups = builder.udiv(inputs, group)
    scales, hidden, y = (layer.room(of) for of in (at.ROW_SCALES, at.RANKS, at.Y))
    is_wide = builder.icmp_signed('!=', layer.field(at.WIDE), zero)
    units, steady, turned = layer.part(at.UNITS), layer.part(at.STEADY), layer.room(at.TURNED)
    mode, down, up = layer.size(at.MODE), layer.part(at.DOWN), layer.part(at.UP)
    with vectors.steps(builder, zero, rows, 1) as row:
        _emit_turned(builder, parts, row, units, inputs, group, turned)
        flag = vectors.flag(builder, is_transient, builder.mul(row, stride))
        both = builder.or_(flag, is_wide)
        codes_of = builder.gep(layer.rounded, [builder.mul(row, inputs)])
        scales_of = builder.gep(scales, [builder.mul(row, groups)])
        emit_rounding(
            builder, turned, groups, group, steady, both, mode, codes_of, scales_of,
            raised=UNIT.raised,
        )  # fmt: skip
        with builder.if_then(flag):
            low = builder.gep(hidden, [builder.mul(row, ranks)])
            emit_projection(builder, turned, inputs, down, ranks, low)
    given = Rows(
        layer.rounded, scales, rows, groups, group, layer.bytes(at.CODES), layer.bytes(at.SUMS),
        layer.part(at.SCALES), layer.part(at.BIAS), outputs, y,
    )  # fmt: skip
    emit_products(builder, UNIT, given)
    with vectors.steps(builder, zero, rows, 1) as row:
        flag = vectors.flag(builder, is_transient, builder.mul(row, stride))
        with builder.if_then(flag):
            low = builder.gep(hidden, [builder.mul(row, ranks)])
            emit_spread(
                builder, low, ranks, up, outputs, builder.gep(y, [builder.mul(row, outputs)])
            )


def _emit_turned(
    builder: Any,
    parts: Sequence[Any],
    row: Any,
    units: Any,
    inputs: Any,
    group: Any,
    turned: Any,
) -> None:
    """Rotate a row of two parts."""
    one = ir.Constant(vectors.INDEX, 1)
    count = parts[3]
    padded = builder.add(count, builder.sub(group, one))
    padded = builder.mul(builder.udiv(padded, group), group)
    widths = (padded, builder.sub(inputs, padded))
    for part, width in zip((parts[:4], parts[4:]), widths, strict=True):
        x, first, stride, valid = part
        line = builder.gep(x, [builder.add(first, builder.mul(row, stride))])
        vectors.subroutine(
            builder, emit_rotation, [line, valid, units, width, group, turned]
        )  # fmt: skip
        units, turned = builder.gep(units, [padded]), builder.gep(turned, [padded])


@jit
def apply(
    weights: Weights,
    scratch: Scratch,
    layer: int | np.int64,
    x: int | np.int64,
    is_transient: Bools,
    rows: int,
) -> None:
    """Apply a layer to rows in scratch memory; its outputs `[rows, N]`, padded, are put in Y.

    Args:
        weights: the network.
        scratch: memory to work in.
        layer: its row in the table of layers.
        x: where its inputs `[rows, K]` begin in the scratch memory.
        is_transient: the mask, of each row or, with one entry, of all.
        rows: how many.
    """
    inputs, stride = weights.layers[layer, at.INPUTS], 1 if is_transient.shape[0] > 1 else 0
    apply_to_parts(
        weights.floats, weights.codes, weights.layers, weights.sizes,
        scratch.work, scratch.starts, scratch.rounded, layer,
        scratch.work, x, inputs, inputs, scratch.work, 0, 0, 0, is_transient, stride, rows,
    )  # fmt: skip
