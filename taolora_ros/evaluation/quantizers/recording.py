"""What every layer of the FP32 network is given on normal rows, and on disturbed ones.

M rows, K inputs of a layer, N outputs, T rows of a segment, I inputs a row, P rows a patch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.watch import WatchModel
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import BuildLayer, DualPathWeights, Layer, at_precision
from taolora_ros.model.network import Network
from taolora_ros.model.relation import LAGS, relation_rows
from taolora_ros.samples import Bools, Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb

_MOST_ROWS = 16_384  # of a layer's normal inputs
_MOST_DISTURBED = 4_096  # of its inputs under each disturbance
_LEAST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the network makes of one segment."""

    prediction: Float32s  # [T, I] of the rows, from those before
    related: Float32s  # [T, C] what the relation takes the channels for; itself where unknown


def run(model: WatchModel, build: BuildLayer, rows: Float32s, is_transient: Bools) -> Run:
    """Run network and relation over one segment.

    Args:
        model: what was trained.
        build: the arithmetic of the dense layers.
        rows: `[T, I]` re-based and scaled, T a multiple of P.
        is_transient: `[T/P]` the mask.
    """
    prediction = Network(model.network, build=build).run(rows, is_transient)
    channels = rows[:, : model.relation.channels]
    linear, first = model.relation.linear, LAGS[-1]
    mask = np.repeat(is_transient, model.config.window.patch)
    related = channels.copy()
    related[first:] = build('relation', linear)(
        relation_rows(channels, linear.weight.group), mask[first:]
    )
    return Run(prediction, related)


class Recorder:
    """FP32 layers that remember what they were given."""

    def __init__(self, model: WatchModel) -> None:
        self._exact = at_precision(Precision.FP32, model.config.quantization.activation)
        self._seen: dict[str, list[tuple[Float32s, Bools]]] = {name: [] for name in model.layers()}

    def build(self, name: str, weights: DualPathWeights) -> Layer:
        """A layer that remembers."""
        exact, seen = self._exact(name, weights), self._seen[name]

        def layer(x: Float32s, is_transient: Bools) -> Float32s:
            seen.append((x.copy(), is_transient))
            return exact(x, is_transient)

        return layer

    def inputs(self, name: str) -> Float32s:
        """All inputs of a layer, `[M, K]`, in the order in which they came."""
        return np.concatenate([x for x, _ in self._seen[name]])

    def mask(self, name: str) -> Bools:
        """Their mask `[M]`."""
        return np.concatenate([mask for _, mask in self._seen[name]])

    def transient(self, name: str) -> Float32s:
        """Those where the mask was on, `[m, K]`."""
        return self.inputs(name)[self.mask(name)]


def calibrations(
    model: WatchModel, segments: Sequence[Float32s], *, seed: int = 0
) -> Mapping[str, Calibration]:
    """The calibration of every layer by its name.

    Rows are disturbed as in training (`training.augmentation`), with another seed; a layer's row
    counts as disturbed where the token is, or an autoregression still looks back at one.

    Args:
        model: what was trained, with its FP32 weights.
        segments: normal rows `[T_i, I]` without gaps, re-based and scaled.
        seed: of the disturbances.
    """
    patch = model.config.window.patch
    whole = [rows[: len(rows) // patch * patch] for rows in segments if len(rows) > 2 * LAGS[-1]]
    normal = Recorder(model)
    residuals: list[Float32s] = []
    departures: list[Float32s] = []
    for rows in whole:
        found = run(model, normal.build, rows, np.zeros(len(rows) // patch, bool))
        residuals.append((rows - found.prediction)[model.config.model.order :])
        departures.append((rows[:, : model.relation.channels] - found.related)[LAGS[-1] :])
    metrics = _metrics(model, np.concatenate(residuals), np.concatenate(departures))
    rng = np.random.default_rng(seed)
    transient = {kind: _disturbed(model, whole, kind, rng) for kind in Disturbance}
    return {
        name: Calibration(
            normal=_some(normal.inputs(name), _MOST_ROWS),
            transient={
                kind: _some(seen.transient(name), _MOST_DISTURBED)
                for kind, seen in transient.items()
            },
            metric=metrics[name],
        )
        for name in model.layers()
    }


def _metrics(model: WatchModel, residual: Float32s, departure: Float32s) -> dict[str, Floats]:
    """What an error of each output of a layer weighs, `[N]`: 1 over the residual's deviation.

    Within the correction, whose outputs have no residual of their own, all weigh the same.
    """
    metrics: dict[str, Floats] = {
        name: np.ones(layer.outputs) for name, layer in model.layers().items()
    }
    spread = model.network.skip.spread.astype(np.float64)
    metrics['skip.linear'] = spread / deviation(residual)
    metrics['relation'] = 1.0 / deviation(departure)
    if 'correction.head' in metrics:
        metrics['correction.head'] = np.tile(metrics['skip.linear'], model.config.window.patch)
    return metrics


def deviation(residual: Float32s) -> Floats:
    """Root mean square of each column, above 0."""
    power = (residual.astype(np.float64) ** 2).mean(axis=0)
    floored: Floats = np.maximum(np.sqrt(power), _LEAST_DEVIATION)
    return floored


def _disturbed(
    model: WatchModel,
    segments: Sequence[Float32s],
    kind: Disturbance,
    rng: np.random.Generator,
) -> Recorder:
    recorder, patch, count = Recorder(model), model.config.window.patch, 0
    for index in rng.permutation(len(segments)):
        disturbed = disturb(segments[index], kind, rng)
        touched: Bools = np.logical_or.reduce(disturbed.is_touched.reshape(-1, patch), axis=1)
        reach = -(-model.config.model.order // patch)
        mask = np.convolve(touched, np.ones(reach + 1))[: len(touched)] > 0.5
        run(model, recorder.build, disturbed.rows, mask)
        count += int(mask.sum())
        if count >= _MOST_DISTURBED:
            break
    return recorder


def _some(rows: Float32s, most: int) -> Float32s:
    taken: Float32s = rows[:: max(1, -(-len(rows) // most))]
    return taken
