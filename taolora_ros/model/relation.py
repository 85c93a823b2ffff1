"""The relation between channels: each one from the others, now and shortly before.

The skip predicts a row from the rows before it, so a fault that grows slowly carries the
prediction with it. The relation looks at no channel's own past: an effort follows from the
postures and velocities of all joints, and a growing friction or a weak motor shows as the lasting
difference. It is one dual-path layer; its rows are [x(t), x(t−1), x(t−3), x(t−7)].

C channels, P rows a patch, K inputs of the layer (4·C, padded to a multiple of the group).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from taolora_ros.config import Config
from taolora_ros.errors import ArtifactError, nearest
from taolora_ros.model.dual_path import BuildLayer, DualPathWeights
from taolora_ros.model.tensors import TensorReader, Tensors
from taolora_ros.quantization.int4 import padded
from taolora_ros.samples import Float32s, Ints

LAGS = (0, 1, 3, 7)


@dataclass(frozen=True, slots=True, eq=False)
class RelationWeights:
    """The layer; a channel's own rows have weight 0."""

    linear: DualPathWeights

    @property
    def channels(self) -> int:
        """C."""
        return self.linear.outputs

    @property
    def numbers(self) -> int:
        """Parameters without rounding: all lags of all other channels."""
        return len(LAGS) * self.channels * (self.channels - 1)

    def to_tensors(self) -> Tensors:
        """The layer as named tensors."""
        return self.linear.to_tensors()

    @staticmethod
    def from_tensors(tensors: Tensors, channels: int, config: Config) -> RelationWeights:
        """The inverse of `to_tensors`.

        Raises:
            ArtifactError: a tensor is missing or not what it has to be.
        """
        group = config.quantization.group
        weights = RelationWeights(
            DualPathWeights.from_tensors(
                TensorReader(tensors),
                shares=relation_shares(channels, group),
                outputs=channels,
                group=group,
            )
        )
        known = weights.to_tensors()
        for name in tensors:
            if name not in known:
                raise ArtifactError(f"unknown tensor 'relation.{name}'; {nearest(name, known)}")
        return weights


def padded_inputs(channels: int, group: int) -> int:
    """K: the lags of all channels, padded to a multiple of the group."""
    return padded(len(LAGS) * channels, group)


def relation_shares(channels: int, group: int) -> Ints:
    """Which λ each of the layer's inputs takes, `[K]`: the lags of a channel share one."""
    shares = np.zeros(padded_inputs(channels, group), np.int64)
    shares[: len(LAGS) * channels] = np.tile(np.arange(channels), len(LAGS))
    return shares


def relation_rows(rows: Float32s, group: int) -> Float32s:
    """Inputs `[T − 7, K]` of the layer for the rows `[T, C]` from the eighth on."""
    count, channels = rows.shape
    first = LAGS[-1]
    inputs = np.zeros((count - first, padded_inputs(channels, group)), np.float32)
    for place, lag in enumerate(LAGS):
        inputs[:, place * channels : (place + 1) * channels] = rows[first - lag : count - lag]
    return inputs


class Relation:
    """The relation ready to run, one patch at a time."""

    def __init__(self, weights: RelationWeights, *, build: BuildLayer) -> None:
        self._layer = build('relation', weights.linear)
        self.channels = weights.channels
        self._group = weights.linear.weight.group
        self._history: Float32s = np.zeros((LAGS[-1], weights.channels), np.float32)
        self._is_empty = True

    def reset(self) -> None:
        """Forget the past."""
        self._is_empty = True

    def step(self, patch: Float32s, *, is_transient: bool) -> Float32s:
        """What the channels depart from the relation, `[P, C]`, for a patch `[P, C]`."""
        if self._is_empty:
            self._history[:] = patch[0]
            self._is_empty = False
        rows = np.concatenate([self._history, patch])
        self._history = rows[-LAGS[-1] :]
        mask = np.full(len(patch), is_transient)
        departure: Float32s = patch - self._layer(relation_rows(rows, self._group), mask)
        return departure


class _Stepped(Protocol):
    """What predicts patches hop by hop, as `model.network.Network` does."""

    def reset(self) -> None: ...

    def clip_share(self, patch: Float32s) -> float: ...

    def step(self, patch: Float32s, is_transient: bool) -> Float32s: ...


class RelatedNetwork:
    """A network and the relation beside it, stepped together."""

    def __init__(self, network: _Stepped, relation: Relation) -> None:
        self._network = network
        self._relation = relation
        self._channels = relation.channels
        self.departure: Float32s = np.zeros((0, self._channels), np.float32)  # of the last patch

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
        self._network.reset()
        self._relation.reset()

    def clip_share(self, patch: Float32s) -> float:
        """Share of the activations of the patch `[P, I]` beyond the steady INT4 clip."""
        return self._network.clip_share(patch)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]`, and set what it departs from the relation `[P, C]`."""
        self.departure = self._relation.step(patch[:, : self._channels], is_transient=is_transient)
        return self._network.step(patch, is_transient)
