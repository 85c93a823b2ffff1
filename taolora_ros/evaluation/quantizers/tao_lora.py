"""TAO-LoRA itself, as it was trained."""

from __future__ import annotations

from dataclasses import dataclass

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import DualPathWeights, Layer, at_precision
from taolora_ros.samples import Bools, Float32s


@dataclass(frozen=True, slots=True, eq=False)
class TrainedLayer:
    """A layer of the artifact."""

    layer: Layer
    bytes: int

    def __call__(self, x: Float32s, is_transient: Bools) -> Float32s:
        """Apply the layer to rows `[M, K]` with their mask `[M]`; returns `[M, N]` float32."""
        return self.layer(x, is_transient)


@dataclass(frozen=True, slots=True)
class TaoLora:
    """The gate routed, always on, or never; without it A and B need not be stored."""

    precision: Precision
    activation: Activation = Activation.TIME_AWARE

    def fit(self, weights: DualPathWeights, calibration: Calibration) -> TrainedLayer:
        """Take the layer as it is."""
        layer = at_precision(self.precision, self.activation)('', weights)
        spare = weights.low_rank.nbytes
        is_never = self.precision is Precision.INT4_NEVER
        return TrainedLayer(layer, weights.packed_bytes - (spare if is_never else 0))
