"""What one hop of the network reads: its layers, and sizes that the formula leaves open.

P rows a patch, I inputs a row, C channels, K inputs and N outputs of a layer, R rank, d features,
E hidden features, B blocks, G group size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear.reference import Operands
from taolora_ros.samples import Float32s


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A dual-path layer at 4 bits; where `dense` is set, it runs in FP32 in its place."""

    units: Float32s  # [K] of `kernels.rotate`
    steady: Float32s  # [K/G] of `kernels.quantize`
    linear: Operands
    is_wide: bool = False  # whether steady rows take both nibbles, as transient rows do
    dense: Float32s | None = None  # [K, N] weights for inputs that are not rotated

    @property
    def inputs(self) -> int:
        """K."""
        return self.units.shape[0]

    @property
    def outputs(self) -> int:
        """N."""
        return self.linear.bias.shape[0]

    @property
    def rank(self) -> int:
        """R."""
        return self.linear.up.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A residual block: convolution over tokens, then a gated MLP."""

    taps: Float32s  # [kernel, d] the newest token first
    dilation: int  # tokens between two taps
    gain: Float32s  # [d]
    expand: Layer  # K = d, N = 2·E
    contract: Layer  # K = E, N = d

    @property
    def reach(self) -> int:
        """Past tokens that the convolution needs."""
        return (self.taps.shape[0] - 1) * self.dilation


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What earlier tokens say about the next one."""

    embed: Layer  # K = padded(I) + padded(P·I), N = d
    blocks: tuple[Block, ...]
    gain: Float32s  # [d]
    head: Layer  # K = d, N = P·I


@dataclass(frozen=True, slots=True, eq=False)
class StreamOperands:
    """The network, ready to run."""

    patch: int  # P
    group: int  # G
    activation: Activation
    spread: Float32s  # [I] σ of the first differences
    own: Float32s  # [order, I] weights of a channel's own level and differences
    skip: Layer  # K = padded(I) + padded((order − 1)·I), N = I
    correction: Correction | None
    relation: Layer | None  # K = padded(lags·C), N = C; on the first C inputs
    lags: tuple[int, ...]  # rows back that the relation reads, ascending from 0
    rms_floor: float  # added to a token's mean square before it is scaled to 1

    @property
    def inputs(self) -> int:
        """I."""
        return self.spread.shape[0]

    @property
    def order(self) -> int:
        """Past rows that the skip reads."""
        return self.own.shape[0]

    @property
    def channels(self) -> int:
        """C; 0 without a relation."""
        return 0 if self.relation is None else self.relation.outputs

    @property
    def history(self) -> int:
        """H, past rows that a hop needs."""
        return self.order if self.relation is None else max(self.order, self.lags[-1])

    def layers(self) -> Iterator[Layer]:
        """All layers: skip, embedding, expand and contract of each block, head, relation."""
        yield self.skip
        if self.correction is not None:
            yield self.correction.embed
            for block in self.correction.blocks:
                yield block.expand
                yield block.contract
            yield self.correction.head
        if self.relation is not None:
            yield self.relation
