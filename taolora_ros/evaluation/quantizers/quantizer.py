"""What a way of quantization is: fitted to a trained dense layer, then run in its place.

M rows, K inputs, N outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from taolora_ros.model.dual_path import DualPathWeights, Layer
from taolora_ros.samples import Bools, Float32s, Floats
from taolora_ros.training.augmentation import Disturbance


class FittedLayer(Layer, Protocol):
    """A layer ready to run, and what it takes to store."""

    @property
    def bytes(self) -> int:
        """Codes, scales, low-rank parts and bias."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What a layer of the FP32 network is given to work on, and what its outputs weigh."""

    normal: Float32s  # [M, K] inputs on normal rows
    transient: Mapping[Disturbance, Float32s]  # [m, K] inputs under each disturbance
    metric: Floats  # [N] what an error of each output weighs

    @property
    def disturbed(self) -> Float32s:
        """Inputs under all disturbances, `[m, K]`."""
        return np.concatenate(list(self.transient.values()))

    @property
    def gram(self) -> Floats:
        """Mean of XᵀX, `[K, K]`: half from normal rows, half from disturbed ones."""
        parts = (self.normal, self.disturbed)
        return sum(
            (0.5 / len(x) * (x.T.astype(np.float64) @ x) for x in parts),
            start=np.zeros((self.normal.shape[1],) * 2),
        )

    @property
    def largest(self) -> Floats:
        """Largest magnitude of each input on any row, `[K]`."""
        parts = (self.normal, self.disturbed)
        largest: Floats = np.max([np.abs(x).max(axis=0) for x in parts], axis=0).astype(float)
        return largest

    def error(self, layer: Layer, weights: DualPathWeights) -> float:
        """Squared error of a layer against FP32 over the square of its output, both weighted.

        The mean of that on normal rows and that on disturbed ones.
        """
        assert weights.dense is not None
        bias = weights.bias.astype(np.float64)
        total = 0.0
        for x, is_transient in ((self.normal, False), (self.disturbed, True)):
            expected = x.astype(np.float64) @ weights.dense * self.metric
            mask: Bools = np.full(len(x), is_transient)
            found = (layer(x, mask) - bias) * self.metric
            total += 0.5 * float(((found - expected) ** 2).sum() / (expected**2).sum())
        return total


class Quantizer(Protocol):
    """Makes a layer run at a few bits."""

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> FittedLayer:
        """Round a trained layer.

        Args:
            weights: the layer with its FP32 weights; TAO-LoRA's bytes for it are the budget
                that a rank is chosen by.
            calibration: its inputs.
        """
        ...
