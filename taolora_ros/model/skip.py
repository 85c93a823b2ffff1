"""The linear autoregressive skip: each row from the rows before it.

    x̂[t] = x[t−1] + σ ⊙ (Σ_j own[j] ⊙ D_j + layer(D_0, …, D_order−1))
    D_0 = x[t−1],  D_j = (x[t−j] − x[t−j−1]) / σ for j = 1 … order−1

Without rounding this is a plain autoregression on the rows. Its form keeps rounding small against
the prediction: the last row, and what a channel's own past tells of it, are carried exactly, and
the layer adds what the other channels tell, from small differences of unit variance. Levels and
differences never share a group, because a session's offset would coarsen the differences' scale.

P rows a patch, I inputs a row, T rows, K inputs of the layer, G group size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taolora_ros.config import Config
from taolora_ros.model.dual_path import BuildLayer, DualPathWeights
from taolora_ros.model.tensors import TensorReader, Tensors
from taolora_ros.quantization.int4 import LARGEST, Halves, padded
from taolora_ros.quantization.octaves import decode
from taolora_ros.samples import Bools, Float32s, Ints

_CHUNK_ROWS = 4096  # of a whole-recording run; bounds its memory
_TAIL = 1.3  # inputs reach so much farther than their rotation; see docs/method.md, "Clip share"


@dataclass(frozen=True, slots=True, eq=False)
class SkipWeights:
    """The layer `linear` with K = padded(I) + padded((order − 1)·I), N = I, and its unit.

    | tensor | shape | type | what |
    |---|---|---|---|
    | spread | [I] | float16 | σ, standard deviation of the first differences on normal data |
    | own | [order, I] | float16 | weights of a channel's own level and differences |
    """

    linear: DualPathWeights
    spread: Float32s  # held as FP16
    own: Halves

    @property
    def packed_bytes(self) -> int:
        """Bytes of the skip as it runs at 4 bits."""
        return self.linear.packed_bytes + 2 * self.spread.size + self.own.nbytes

    def to_tensors(self) -> Tensors:
        """The skip as named tensors."""
        layer = {f'linear.{name}': part for name, part in self.linear.to_tensors().items()}
        return {'spread': self.spread.astype(np.float16), 'own': self.own, **layer}

    @staticmethod
    def from_tensors(reader: TensorReader, config: Config) -> SkipWeights:
        """Read the skip; I is the length of `spread`.

        Raises:
            ArtifactError: a tensor is missing or is not what it has to be.
        """
        (inputs,) = reader.shape('spread', dimensions=1)
        group = config.quantization.group
        return SkipWeights(
            linear=DualPathWeights.from_tensors(
                reader.under('linear'),
                shares=skip_shares(inputs, order=config.model.order, group=group),
                outputs=inputs,
                group=group,
            ),
            spread=reader.take('spread', np.float16, (inputs,), positive=True).astype(np.float32),
            own=reader.take('own', np.float16, (config.model.order, inputs)),
        )


def skip_inputs(inputs: int, *, order: int, group: int) -> int:
    """K of the skip's layer."""
    return padded(inputs, group) + padded((order - 1) * inputs, group)


def skip_shares(inputs: int, *, order: int, group: int) -> Ints:
    """Which λ each of the layer's inputs takes, `[K]`.

    A channel's level has one, its differences share another, and padding, which is 0, takes any.
    """
    shares = np.zeros(skip_inputs(inputs, order=order, group=group), np.int64)
    shares[:inputs] = np.arange(inputs)
    start = padded(inputs, group)
    differences = np.tile(inputs + np.arange(inputs), order - 1)
    shares[start : start + differences.shape[0]] = differences
    return shares


def skip_rows(history: Float32s, spread: Float32s, *, order: int, group: int) -> Float32s:
    """The layer's input for every row after the first `order`.

    Args:
        history: `[order + T, I]` rows, the first `order` of them only looked back at.
        spread: `[I]` σ.
        order: past rows that a row sees.
        group: G.

    Returns:
        `[T, K]` float32: levels, padding, differences from the newest to the oldest, padding.
    """
    rows, inputs = history.shape[0] - order, history.shape[1]
    start = padded(inputs, group)
    x = np.zeros((rows, skip_inputs(inputs, order=order, group=group)), np.float32)
    x[:, :inputs] = history[order - 1 : -1]
    differences = (history[1:] - history[:-1]) / spread
    for lag in range(1, order):  # differences[i] leads from row i to row i + 1
        column = start + (lag - 1) * inputs
        first = order - 1 - lag
        x[:, column : column + inputs] = differences[first : first + rows]
    return x


def own_columns(*, inputs: int, order: int, group: int) -> npt.NDArray[np.intp]:
    """Columns of the layer's input that hold each channel's own past, `[order, I]`."""
    start = padded(inputs, group)
    channels = np.arange(inputs)
    lags = [channels, *(start + lag * inputs + channels for lag in range(order - 1))]
    return np.stack(lags)


class SteadyClip:
    """Where the steady clip would cut levels and newest differences before rotation.

    Counted before rotation, which shows one channel's excess in all of its group: the share tells
    how many channels moved. Rotation shares the power of a group's inputs out over all G places,
    those of padding as well, and makes their distribution narrow, so that the clip lies low.
    """

    def __init__(self, weights: SkipWeights, *, order: int) -> None:
        layer, self._spread = weights.linear, weights.spread
        group = layer.weight.group
        columns = own_columns(inputs=self._spread.shape[0], order=order, group=group)
        share = np.bincount(columns.ravel() // group) / group  # of the places that hold inputs
        clips = _TAIL * (LARGEST + 0.5) * layer.steady / np.sqrt(share)
        scaled = (decode(layer.smoothing) * np.repeat(clips, group)).astype(np.float32)
        self.limits: Float32s = scaled[columns[:2]]  # [1 or 2, I] of levels and of differences

    def share(self, patch: Float32s, last: Float32s | None) -> float:
        """Share of the levels and differences of the patch `[P, I]` beyond the clip.

        Args:
            patch: the rows.
            last: `[I]` the row before them; None at the start of a segment.
        """
        beyond = np.count_nonzero(np.abs(patch) > self.limits[0])
        if len(self.limits) > 1:
            before = patch[:1] if last is None else last[None]
            differences = np.diff(np.concatenate([before, patch]), axis=0) / self._spread
            beyond += np.count_nonzero(np.abs(differences) > self.limits[1])
        return beyond / (len(self.limits) * patch.size)


class Skip:
    """The skip ready to run, with the last `order` rows as its state."""

    def __init__(self, weights: SkipWeights, *, order: int, build: BuildLayer) -> None:
        self._spread = weights.spread
        self._own = weights.own.astype(np.float32)
        self._order = order
        self._group = weights.linear.weight.group
        self._linear = build('skip.linear', weights.linear)
        inputs = weights.spread.shape[0]
        self._columns = own_columns(inputs=inputs, order=order, group=self._group)
        self._clip = SteadyClip(weights, order=order)
        self._past: Float32s | None = None  # [order, I]

    def reset(self) -> None:
        """Forget the past: the next row starts a segment."""
        self._past = None

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict each row of the patch `[P, I]` from the rows before it."""
        history = self._history(patch)
        prediction = self._predict(history, np.full(patch.shape[0], is_transient))
        self._past = history[-self._order :]
        return prediction

    def run(self, rows: Float32s, is_transient: Bools) -> Float32s:
        """Predict the rows `[T, I]` of a recording; `is_transient` `[T]` is the rows' mask."""
        self.reset()
        history = self._history(rows)
        predictions = np.empty_like(rows)
        for first in range(0, rows.shape[0], _CHUNK_ROWS):
            chunk = slice(first, first + _CHUNK_ROWS)
            seen = history[first : first + _CHUNK_ROWS + self._order]
            predictions[chunk] = self._predict(seen, is_transient[chunk])
        self._past = history[-self._order :]
        return predictions

    def clip_share(self, patch: Float32s) -> float:
        """Share of the levels and differences of the patch `[P, I]` beyond the steady clip."""
        return self._clip.share(patch, None if self._past is None else self._past[-1])

    def _history(self, rows: Float32s) -> Float32s:
        """The rows after the past; a segment's past is its first row, held."""
        past = np.repeat(rows[:1], self._order, axis=0) if self._past is None else self._past
        return np.concatenate([past, rows])

    def _predict(self, history: Float32s, is_transient: Bools) -> Float32s:
        x = skip_rows(history, self._spread, order=self._order, group=self._group)
        y = self._linear(x, is_transient)
        y += (x[:, self._columns] * self._own).sum(axis=1)
        y *= self._spread
        y += history[self._order - 1 : -1]
        return y
