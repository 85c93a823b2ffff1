"""The streaming network: what normal data would look like next, one token a hop.

A linear autoregressive skip sees every row up to the one that it predicts; the nonlinear
correction beside it sees the earlier tokens, so a hop's share of it is ready before its patch.

P rows a patch, I inputs a row, T rows a recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.errors import ArtifactError, nearest
from taolora_ros.model.base import Precision
from taolora_ros.model.correction import Correction, CorrectionWeights, token_rows
from taolora_ros.model.dual_path import BuildLayer, DualPathWeights, at_precision
from taolora_ros.model.skip import Skip, SkipWeights
from taolora_ros.model.tensors import TensorReader, Tensors
from taolora_ros.samples import Bools, Float32s

_CHUNK_TOKENS = 2048  # of a whole-recording run; bounds its memory


@dataclass(frozen=True, slots=True, eq=False)
class NetworkWeights:
    """All tensors of the network, under `skip.` and `correction.`; each part documents its own."""

    config: Config
    skip: SkipWeights
    correction: CorrectionWeights | None = None  # left out where it beats the skip nowhere

    @property
    def inputs(self) -> int:
        """I."""
        return self.skip.spread.shape[0]

    def layers(self) -> dict[str, DualPathWeights]:
        """The dual-path layers by name, in the order in which they run."""
        layers = {'skip.linear': self.skip.linear}
        if self.correction is not None:
            layers |= {f'correction.{name}': part for name, part in self.correction.layers()}
        return layers

    @property
    def packed_bytes(self) -> int:
        """Bytes of the model as it runs at 4 bits, the FP16 path included."""
        total = self.skip.packed_bytes
        if self.correction is not None:
            total += sum(layer.packed_bytes for _, layer in self.correction.layers())
            total += sum(vector.nbytes for _, vector in self.correction.vectors())
        return total

    @property
    def numbers(self) -> int:
        """Parameters of the same network without rounding, rank or padding."""
        inputs, settings = self.inputs, self.config
        total = settings.model.order * inputs * inputs
        if self.correction is None:
            return total
        embed = (settings.window.patch + 1) * inputs * settings.model.width
        padding = self.correction.embed.inputs * settings.model.width - embed
        layers = sum(layer.numbers for _, layer in self.correction.layers())
        return total + layers - padding + sum(part.size for _, part in self.correction.vectors())

    def to_tensors(self) -> Tensors:
        """The network as named tensors."""
        tensors = {f'skip.{name}': part for name, part in self.skip.to_tensors().items()}
        if self.correction is not None:
            parts = self.correction.to_tensors()
            tensors |= {f'correction.{name}': part for name, part in parts.items()}
        return tensors

    @staticmethod
    def from_tensors(tensors: Tensors, config: Config) -> NetworkWeights:
        """The inverse of `to_tensors`.

        Raises:
            ArtifactError: a tensor is missing, unknown or not what it has to be.
        """
        reader = TensorReader(tensors)
        skip = SkipWeights.from_tensors(reader.under('skip'), config)
        correction = None
        if reader.under('correction').holds_any():
            correction = CorrectionWeights.from_tensors(
                reader.under('correction'), config, skip.spread.shape[0]
            )
        weights = NetworkWeights(config=config, skip=skip, correction=correction)
        known = weights.to_tensors()
        for name in tensors:
            if name not in known:
                raise ArtifactError(f'unknown tensor {name!r}; {nearest(name, known)}')
        return weights


class Network:
    """The network ready to run.

    Args:
        weights: all tensors.
        build: the arithmetic of the dense layers; routed TAO-LoRA by default.
    """

    def __init__(self, weights: NetworkWeights, *, build: BuildLayer | None = None) -> None:
        self.weights = weights
        self._patch = weights.config.window.patch
        self._group = weights.config.quantization.group
        shape, activation = weights.config.model, weights.config.quantization.activation
        build = build or at_precision(Precision.INT4_ROUTED, activation)
        self._skip = Skip(weights.skip, order=shape.order, build=build)
        self._correction: Correction | None = None
        if weights.correction is not None:
            self._correction = Correction(weights.correction, shape, build=build)
        self._last: Float32s | None = None  # [1, I] the row before the next patch
        self._pending: Float32s = self._nothing()  # [P, I] correction of the next patch

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
        self._skip.reset()
        if self._correction is not None:
            self._correction.reset()
        self._last = None
        self._pending = self._nothing()

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
        prediction = self._skip.step(patch, is_transient)
        if self._correction is not None:
            prediction += self._pending
            self._pending = self._correct(patch, np.array([is_transient]))
        return prediction

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
        self.reset()
        predictions = self._skip.run(rows, np.repeat(is_transient, self._patch))
        if self._correction is not None and rows.shape[0]:
            correction = np.concatenate(
                [
                    self._correct(rows[first * self._patch : last * self._patch], mask)
                    for first, last, mask in _chunks(is_transient)
                ]
            )
            predictions[self._patch :] += correction[: -self._patch]
            self._pending = correction[-self._patch :]
        return predictions

    def _nothing(self) -> Float32s:
        return np.zeros((self._patch, self.weights.inputs), np.float32)

    def _correct(self, rows: Float32s, is_transient: Bools) -> Float32s:
        """Correction `[n·P, I]` of the patch after each patch of the rows `[n·P, I]`."""
        assert self._correction is not None
        spread = self.weights.skip.spread
        before = rows[:1] if self._last is None else self._last
        self._last = rows[-1:].copy()
        seen = np.concatenate([before, rows])
        tokens = token_rows(seen, spread, patch=self._patch, group=self._group)
        corrections = self._correction(tokens, is_transient).reshape(rows.shape)
        corrections *= spread
        return corrections


def _chunks(is_transient: Bools) -> Iterator[tuple[int, int, Bools]]:
    for first in range(0, is_transient.shape[0], _CHUNK_TOKENS):
        mask = is_transient[first : first + _CHUNK_TOKENS]
        yield first, first + mask.shape[0], mask
