"""One dense layer with two paths, on smoothed and rotated inputs X = X₀·T, W = T⁻¹·W₀.

    Y = Q4(X)·Q4(W) + (Q4(X − Q4(X))·Q4(W) + (X·A)·B)·I(transient) + bias

The term Q4(X − Q4(X))·Q4(W) extends the published formula within its gate: what 4 bits round
away of X is noise that no X·A·B can express, and on transient rows, where the scale follows the
largest activation, it is most of the error. It stores nothing. T divides each input by its λ and
rotates each group (`kernels.rotate`), so that no input is lost under a larger one.

M rows, K inputs (padded to a multiple of G), N outputs, R rank, L different λ, G group size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.errors import ArtifactError
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.kernels.rotate.reference import rotate, units
from taolora_ros.model.base import Precision
from taolora_ros.model.tensors import TensorReader, Tensors
from taolora_ros.quantization.int4 import Halves, Int4Weight
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s, Ints


@dataclass(frozen=True, slots=True, eq=False)
class DualPathWeights:
    """Everything one layer holds.

    | tensor | shape | type | what |
    |---|---|---|---|
    | smooth | [L] | int8 | 8·log₂ λ: an input is divided by its λ before rotation |
    | packed | [K/2, N] | uint8 | codes −7..7 of W, two a byte along K, even k in the low nibble |
    | scales | [K/G, N] | int8 | 8·log₂ of what a code of W is worth |
    | steady | [K/G] | float16 | what a code of X is worth while the token is steady |
    | down | [K, R] | float16 | A |
    | up | [R, N] | float16 | B |
    | wide | [1] | uint8 | 1 where steady rows take both nibbles, as transient rows do |
    | bias | [N] | float16 | added to Y; not stored where all of it is 0 |
    | dense | [K, N] | float32 | W₀ itself, for the FP32 twin alone; may be absent |
    """

    smooth: Codes
    shares: Ints  # [K] which λ an input takes; not stored, since a layer's inputs tell it
    weight: Int4Weight
    steady: Halves
    low_rank: LowRank
    bias: Halves
    is_wide: bool = False
    dense: Float32s | None = None

    @property
    def smoothing(self) -> Codes:
        """8·log₂ λ of every input, `[K]`."""
        return self.smooth[self.shares]

    @property
    def inputs(self) -> int:
        """K."""
        return 2 * self.weight.packed.shape[0]

    @property
    def outputs(self) -> int:
        """N."""
        return self.weight.packed.shape[1]

    @property
    def packed_bytes(self) -> int:
        """Bytes of the two paths; the FP32 twin doesn't count."""
        parts = (self.smooth, self.weight, self.steady, self.low_rank)
        return sum(part.nbytes for part in parts) + self.bias_bytes + 1  # `wide`

    @property
    def bias_bytes(self) -> int:
        """Bytes of the bias where there is one."""
        return self.bias.nbytes if self.bias.any() else 0

    @property
    def numbers(self) -> int:
        """Weights, and biases where there are any, of the same layer without rounding."""
        return self.inputs * self.outputs + (self.outputs if self.bias.any() else 0)

    def rotated(self, x: Float32s) -> Float32s:
        """The layer's inputs `[M, K]` as they are rounded."""
        group = self.weight.group
        return rotate(x, units(self.smoothing, group), group)

    def to_tensors(self) -> Tensors:
        """The layer as named tensors."""
        tensors: Tensors = {
            'smooth': self.smooth,
            'packed': self.weight.packed,
            'scales': self.weight.scale_codes,
            'steady': self.steady,
            'down': self.low_rank.down,
            'up': self.low_rank.up,
            'wide': np.array([self.is_wide], np.uint8),
        }
        if self.bias.any():
            tensors['bias'] = self.bias
        return tensors if self.dense is None else {**tensors, 'dense': self.dense}

    @staticmethod
    def from_tensors(
        reader: TensorReader, *, shares: Ints, outputs: int, group: int
    ) -> DualPathWeights:
        """Read a layer of known size; the rank is the tensors' own.

        Args:
            reader: of the tensors.
            shares: `[K]` which λ an input takes.
            outputs: N.
            group: G.

        Raises:
            ArtifactError: a tensor is missing or is not what it has to be.
        """
        rank = reader.shape('down', dimensions=2)[1]
        inputs = shares.shape[0]
        groups = inputs // group
        shape = (inputs, outputs)
        bias: Halves = np.zeros(outputs, np.float16)
        if reader.has('bias'):
            bias = reader.take('bias', np.float16, (outputs,))
        return DualPathWeights(
            smooth=reader.take('smooth', np.int8, (int(shares.max()) + 1,)),
            shares=shares,
            weight=Int4Weight(
                packed=reader.take('packed', np.uint8, (inputs // 2, outputs)),
                scale_codes=reader.take('scales', np.int8, (groups, outputs)),
            ),
            steady=reader.take('steady', np.float16, (groups,), positive=True),
            low_rank=LowRank(
                down=reader.take('down', np.float16, (inputs, rank)),
                up=reader.take('up', np.float16, (rank, outputs)),
            ),
            bias=bias,
            is_wide=_flag(reader),
            dense=reader.take('dense', np.float32, shape) if reader.has('dense') else None,
        )


def _flag(reader: TensorReader) -> bool:
    wide = int(reader.take('wide', np.uint8, (1,))[0])
    if wide > 1:
        raise ArtifactError(f"tensor 'wide' holds {wide}, expected 0 or 1; train the model again")
    return wide == 1


class Layer(Protocol):
    """A dense layer ready to run."""

    def __call__(self, x: Float32s, is_transient: Bools) -> Float32s:
        """Apply the layer to rows `[M, K]` with their mask `[M]`; returns `[M, N]` float32."""


# From a layer's name in the network, e.g. 'skip.linear', and its weights to what runs it.
BuildLayer = Callable[[str, DualPathWeights], Layer]


def at_precision(precision: Precision, activation: Activation) -> BuildLayer:
    """Layers that run in our own arithmetic.

    The builder raises ArtifactError where FP32 is asked of a layer that was saved without its
    dense weights.
    """

    def build(name: str, weights: DualPathWeights) -> Layer:
        if precision is not Precision.FP32:
            return DualPath(weights, activation=activation, precision=precision)
        if weights.dense is None:
            raise ArtifactError(
                f'layer {name!r} was saved without its FP32 twin; use a 4-bit precision'
            )
        return Dense(weights.dense, weights.bias.astype(np.float32))

    return build


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """The FP32 twin: X·W + bias, the same for every row."""

    weight: Float32s  # [K, N]
    bias: Float32s  # [N]

    def __call__(self, x: Float32s, is_transient: Bools) -> Float32s:
        """Apply the layer to rows `[M, K]`; returns `[M, N]` float32."""
        y: Float32s = x @ self.weight
        y += self.bias
        return y


class DualPath:
    """A layer at 4 bits, ready to run.

    Args:
        weights: what it holds.
        activation: how a row's scale is chosen.
        precision: which rows are taken for transient.
    """

    def __init__(
        self, weights: DualPathWeights, *, activation: Activation, precision: Precision
    ) -> None:
        self._group = weights.weight.group
        self._units = units(weights.smoothing, self._group)
        self._steady = weights.steady.astype(np.float32)
        self._activation = activation
        self._is_wide = weights.is_wide
        self._precision = precision
        self._operands = linear.prepare(
            weights.weight, weights.low_rank, weights.bias.astype(np.float32)
        )

    def __call__(self, x: Float32s, is_transient: Bools) -> Float32s:
        """Apply the layer to rows `[M, K]` with their mask `[M]`; returns `[M, N]` float32."""
        mask = self._mask(is_transient)
        rotated = rotate(x, self._units, self._group)
        both_nibbles = mask | self._is_wide
        quantized = quantize(rotated, self._steady, both_nibbles, self._activation)
        return linear.dual_path_linear(rotated, quantized, self._operands, mask)

    def _mask(self, is_transient: Bools) -> Bools:
        if self._precision is Precision.INT4_ROUTED:
            return is_transient
        return np.full(is_transient.shape, self._precision is Precision.INT4_ALWAYS)
