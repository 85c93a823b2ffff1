"""A whole network at a few bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taolora_ros.detection.watch import WatchModel
from taolora_ros.evaluation.quantizers.quantizer import Calibration, FittedLayer, Quantizer
from taolora_ros.model.dual_path import DualPathWeights, Layer


@dataclass(frozen=True, slots=True, eq=False)
class FittedNetwork:
    """Every dense layer of a model, fitted."""

    layers: Mapping[str, FittedLayer]
    exact_bytes: int  # of what all methods share: own weights, deviations, convolutions, gains

    @property
    def bytes(self) -> int:
        """Bytes of the whole model."""
        return self.exact_bytes + sum(layer.bytes for layer in self.layers.values())

    def build(self, name: str, weights: DualPathWeights) -> Layer:
        """The layer of this name; a `BuildLayer`."""
        return self.layers[name]


def fit_network(
    quantizer: Quantizer, model: WatchModel, calibrations: Mapping[str, Calibration]
) -> FittedNetwork:
    """Fit one way of quantization to every dense layer of a trained model.

    Args:
        quantizer: the way.
        model: what was trained, with its FP32 weights.
        calibrations: of every layer by its name, as `recording.calibrations` makes them.
    """
    layers = model.layers()
    return FittedNetwork(
        layers={name: quantizer.fit(layer, calibrations[name]) for name, layer in layers.items()},
        exact_bytes=model.packed_bytes - sum(layer.packed_bytes for layer in layers.values()),
    )
