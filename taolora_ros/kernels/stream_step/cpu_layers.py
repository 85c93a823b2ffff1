"""One layer of the network on the CPU: inputs and outputs in scratch memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.chunks import chunks
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
from taolora_ros.kernels.stream_step import memory
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s, Ints

_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')
_FLAGS, _INTS = types.Array(types.boolean, 1, 'C'), types.Array(types.int64, 1, 'C')
_TABLE = types.Array(types.int64, 2, 'C')
_PART = (_FLOATS, types.intp, types.intp, types.intp, types.intp)


class Weights(NamedTuple):
    """The network within compiled code; fields as of `packing.Packed`."""

    floats: Float32s
    codes: Codes
    layers: Ints
    blocks: Ints
    sizes: Ints
    lags: Ints


class Scratch(NamedTuple):
    """Memory to work in within compiled code; fields as of `memory.Room`."""

    work: Float32s
    starts: Ints
    rounded: Codes


@vectors.vector_code(
    *(_FLOATS, _CODES, _TABLE, _INTS, _FLOATS, _INTS, _CODES, types.intp),
    *(*_PART, *_PART, _FLAGS, types.intp, types.intp),
)
def apply_to_parts(builder: Any, *arguments: Any) -> None:
    """Apply a layer to rows; its outputs `[M, N]`, padded, are put in Y of the scratch memory.

    Rows come in patches, of one row each where they are tokens; a patch has one flag. An input
    row is one part, padded to whole groups, and another one, padded to K; a layer in FP32 takes
    whole rows as one part.

    Arguments are floats, codes, layers and sizes of `Weights`, work, starts and rounded of
    `Scratch`, the layer's row in the table of layers; of each part the array, where it begins, how
    far patches lie apart, how far the rows of a patch, and how many elements there are; the mask,
    the number of patches, and that of the rows of each.
    """
    layer = _Layer.of(builder, arguments[:8])
    parts, (is_transient, *counts) = (arguments[8:13], arguments[13:18]), arguments[18:]
    is_dense = builder.icmp_signed('>=', layer.field(at.DENSE), ir.Constant(vectors.INDEX, 0))
    with builder.if_else(is_dense) as (dense, rounded):
        with dense:
            _emit_dense_rows(builder, layer, parts[0], counts)
        with rounded:
            _emit_rounded_rows(builder, layer, parts, is_transient, counts)


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


@contextmanager
def _rows(builder: Any, counts: Sequence[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """A loop over the rows of patches; yields those of the patch, in it and of the row in all."""
    zero, (patches, each) = ir.Constant(vectors.INDEX, 0), counts
    with (
        vectors.steps(builder, zero, patches, 1) as patch,
        vectors.steps(builder, zero, each, 1) as place,
    ):
        yield patch, place, builder.add(builder.mul(patch, each), place)


def _line(builder: Any, part: Sequence[Any], patch: Any, place: Any) -> Any:
    """Where a row of a part begins."""
    x, first, apart, step, _ = part
    offset = builder.add(builder.mul(patch, apart), builder.mul(place, step))
    return builder.gep(x, [builder.add(first, offset)])


def _emit_dense_rows(
    builder: Any, layer: _Layer, part: Sequence[Any], counts: Sequence[Any]
) -> None:
    inputs, outputs = layer.field(at.INPUTS), layer.field(at.OUTPUTS)
    bias, weight, y = layer.part(at.BIAS), layer.part(at.DENSE), layer.room(memory.Y)
    with _rows(builder, counts) as (patch, place, row):
        target = builder.gep(y, [builder.mul(row, outputs)])
        chunks(builder, outputs, lambda some: some.store(some.load(bias), target))
        line = _line(builder, part, patch, place)
        emit_dense(builder, line, inputs, weight, outputs, target)


def _emit_rounded_rows(
    builder: Any,
    layer: _Layer,
    parts: Sequence[Sequence[Any]],
    is_transient: Any,
    counts: Sequence[Any],
) -> None:
    inputs, outputs, ranks = (layer.field(of) for of in (at.INPUTS, at.OUTPUTS, at.RANK))
    group, zero = layer.size(at.GROUP), ir.Constant(vectors.INDEX, 0)
    groups = builder.udiv(inputs, group)
    scales, hidden, y = (layer.room(of) for of in (memory.ROW_SCALES, memory.RANKS, memory.Y))
    is_wide = builder.icmp_signed('!=', layer.field(at.WIDE), zero)
    steady, turned = layer.part(at.STEADY), layer.room(memory.TURNED)
    mode, down, up = layer.size(at.MODE), layer.part(at.DOWN), layer.part(at.UP)
    with _rows(builder, counts) as (patch, place, row):
        lines = [_line(builder, part, patch, place) for part in parts]
        target = builder.gep(turned, [builder.mul(row, inputs)])
        _emit_turned(
            builder, lines, [part[-1] for part in parts], layer.part(at.UNITS), inputs, group,
            target,
        )  # fmt: skip
    with _rows(builder, counts) as (patch, _, row):
        flag, first = vectors.flag(builder, is_transient, patch), builder.mul(row, inputs)
        line, codes_of = builder.gep(turned, [first]), builder.gep(layer.rounded, [first])
        scales_of = builder.gep(scales, [builder.mul(row, groups)])
        emit_rounding(
            builder, line, groups, group, steady, builder.or_(flag, is_wide), mode, codes_of,
            scales_of, raised=UNIT.raised,
        )  # fmt: skip
        with builder.if_then(flag):
            low = builder.gep(hidden, [builder.mul(row, ranks)])
            emit_projection(builder, line, inputs, down, ranks, low)
    given = Rows(
        layer.rounded, scales, builder.mul(*counts), groups, group, layer.bytes(at.CODES),
        layer.bytes(at.SUMS), layer.part(at.SCALES), layer.part(at.BIAS), outputs, y,
    )  # fmt: skip
    emit_products(builder, UNIT, given)
    with (
        _rows(builder, counts) as (patch, _, row),
        builder.if_then(vectors.flag(builder, is_transient, patch)),
    ):
        low = builder.gep(hidden, [builder.mul(row, ranks)])
        target = builder.gep(y, [builder.mul(row, outputs)])
        emit_spread(builder, low, ranks, up, outputs, target)


def _emit_turned(
    builder: Any,
    lines: Sequence[Any],
    counts: Sequence[Any],
    units: Any,
    inputs: Any,
    group: Any,
    turned: Any,
) -> None:
    """Rotate a row of two parts, each of so many elements; the second one may be empty."""
    padded = builder.add(counts[0], builder.sub(group, ir.Constant(vectors.INDEX, 1)))
    padded = builder.mul(builder.udiv(padded, group), group)
    rest = builder.sub(inputs, padded)
    vectors.subroutine(
        builder, emit_rotation, [lines[0], counts[0], units, padded, group, turned]
    )  # fmt: skip
    with builder.if_then(builder.icmp_signed('>', rest, ir.Constant(vectors.INDEX, 0))):
        units, turned = builder.gep(units, [padded]), builder.gep(turned, [padded])
        vectors.subroutine(
            builder, emit_rotation, [lines[1], counts[1], units, rest, group, turned]
        )  # fmt: skip


@jit
def apply(
    weights: Weights,
    scratch: Scratch,
    layer: int | np.int64,
    x: int | np.int64,
    is_transient: Bools,
    each: int,
) -> None:
    """Apply a layer to rows in scratch memory; its outputs `[M, N]`, padded, are put in Y.

    Args:
        weights: the network.
        scratch: memory to work in.
        layer: its row in the table of layers.
        x: where its inputs `[M, K]` begin in the scratch memory.
        is_transient: the mask.
        each: rows that share a flag.
    """
    inputs = weights.layers[layer, at.INPUTS]
    apply_to_parts(
        weights.floats, weights.codes, weights.layers, weights.sizes,
        scratch.work, scratch.starts, scratch.rounded, layer,
        scratch.work, x, each * inputs, inputs, inputs,
        scratch.work, 0, 0, 0, 0, is_transient, is_transient.shape[0], each,
    )  # fmt: skip
