"""Which layers 4-bit activations would drown: a layer that can't stand them takes 8 bits.

Where channels follow from each other closely, a layer's output is a small difference of large
inputs, and what 4 bits round away of them is larger than what the network leaves unexplained. Such
a layer takes both nibbles on steady rows too. Its weights stay at 4 bits.
"""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from taolora_ros.config import Activation, QuantizationConfig
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import DualPath, DualPathWeights
from taolora_ros.samples import Float32s, Floats

MOST_STEADY_ERROR = 0.25
"""Root mean square of the error on steady rows, over the residual's, beyond which a layer is wide.

Rounding then adds a sixteenth to the power of the residual, 0.26 dB.
"""

_MOST_ROWS = 8_192

_log = logging.getLogger(__name__)


def widened(
    layer: DualPathWeights,
    normal: Float32s,
    *,
    metric: Floats,
    settings: QuantizationConfig,
    name: str,
) -> DualPathWeights:
    """The layer, wide if 4 bits lose too much of its output on normal rows.

    Only time-aware quantization knows wide layers.

    Args:
        layer: rounded, with its FP32 twin.
        normal: `[M, K]` its inputs on normal rows, neither smoothed nor rotated.
        metric: `[N]` one over the deviation of the residual that each output leaves.
        settings: how activations are rounded.
        name: of the layer, for the log.
    """
    error = steady_error(layer, normal, metric=metric, settings=settings)
    is_wide = settings.activation is Activation.TIME_AWARE and error > MOST_STEADY_ERROR
    _log.info(
        '%s: at 4 bits steady rows lose %.2f of the residual: %d bits',
        name,
        error,
        8 if is_wide else 4,
    )
    return dataclasses.replace(layer, is_wide=is_wide)


def steady_error(
    layer: DualPathWeights, normal: Float32s, *, metric: Floats, settings: QuantizationConfig
) -> float:
    """Root mean square over rows and outputs of what steady rows lose, in residuals."""
    assert layer.dense is not None
    rows = normal[:: max(1, -(-normal.shape[0] // _MOST_ROWS))]
    run = DualPath(layer, activation=settings.activation, precision=Precision.INT4_NEVER)
    rounded = run(rows, np.zeros(rows.shape[0], bool)) - layer.bias.astype(np.float32)
    error = (rounded - rows @ layer.dense) * metric
    return float(np.sqrt(np.mean(error**2)))
