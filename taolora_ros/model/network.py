"""The streaming network: what normal data would look like next, one token a hop.

A linear autoregressive skip sees every row up to the one that it predicts; the nonlinear
correction beside it sees the earlier tokens, so a hop's share of it is ready before its patch.

P rows a patch, I inputs a row, T rows a recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.errors import ArtifactError, nearest
from taolora_ros.model.base import Precision
from taolora_ros.model.skip import Skip, SkipWeights
from taolora_ros.model.tensors import TensorReader, Tensors
from taolora_ros.samples import Bools, Float32s


@dataclass(frozen=True, slots=True, eq=False)
class NetworkWeights:
    """All tensors of the network; each part documents its own."""

    config: Config
    skip: SkipWeights

    @property
    def inputs(self) -> int:
        """I."""
        return self.skip.spread.shape[0]

    @property
    def packed_bytes(self) -> int:
        """Bytes of the model as it runs at 4 bits, the FP16 path included."""
        return self.skip.linear.packed_bytes + self.skip.spread.nbytes

    @property
    def numbers(self) -> int:
        """Parameters of the same network without rounding."""
        return self.skip.linear.numbers + self.inputs

    def to_tensors(self) -> Tensors:
        """The network as named tensors."""
        return {f'skip.{name}': part for name, part in self.skip.to_tensors().items()}

    @staticmethod
    def from_tensors(tensors: Tensors, config: Config) -> NetworkWeights:
        """The inverse of `to_tensors`.

        Raises:
            ArtifactError: a tensor is missing, unknown or not what it has to be.
        """
        reader = TensorReader(tensors)
        weights = NetworkWeights(
            config=config, skip=SkipWeights.from_tensors(reader.under('skip'), config)
        )
        known = weights.to_tensors()
        for name in tensors:
            if name not in known:
                raise ArtifactError(f'unknown tensor {name!r}; {nearest(name, known)}')
        return weights


class Network:
    """The network ready to run.

    Raises:
        ArtifactError: FP32 is asked of a model that was saved without its FP32 twin.
    """

    def __init__(
        self, weights: NetworkWeights, *, precision: Precision = Precision.INT4_ROUTED
    ) -> None:
        self.weights = weights
        self._patch = weights.config.window.patch
        self._skip = Skip(
            weights.skip,
            order=weights.config.model.order,
            activation=weights.config.quantization.activation,
            precision=precision,
        )

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
        self._skip.reset()

    def clip_share(self, patch: Float32s) -> float:
        """Share of the activations that the patch `[P, I]` adds beyond the steady INT4 clip.

        To be asked before `step` has taken the patch.
        """
        return self._skip.clip_share(patch)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch from what came before each of its rows, then remember it.

        Args:
            patch: `[P, I]` float32, re-based and scaled, finite.
            is_transient: whether the token takes the FP16 path as well.

        Returns:
            `[P, I]` float32.
        """
        assert patch.shape == (self._patch, self.weights.inputs), patch.shape
        assert np.isfinite(patch).all(), 'ingest keeps NaN and infinity out of rows'
        return self._skip.step(patch, is_transient)

    def run(self, rows: Float32s, is_transient: Bools) -> Float32s:
        """Predict a whole recording, as `reset` and then stepping through it would.

        Args:
            rows: `[T, I]` float32, T a multiple of P.
            is_transient: `[T/P]` the tokens' mask.

        Returns:
            `[T, I]` float32.
        """
        assert rows.shape == (is_transient.shape[0] * self._patch, self.weights.inputs)
        assert np.isfinite(rows).all(), 'ingest keeps NaN and infinity out of rows'
        return self._skip.run(rows, np.repeat(is_transient, self._patch))
