"""How a layer's inputs are rounded before the product.

M rows, K inputs, G group size.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.samples import Float32s

RoundRows = Callable[[Float32s], Float32s]  # [M, K] to what the rounded rows stand for, [M, K]


class Inputs(enum.Enum):
    """The precision of a layer's inputs."""

    FP16 = 'fp16'
    INT4 = 'int4'  # a scale for each token and group, as TAO-LoRA's transient tokens have


def rounding(inputs: Inputs, *, inputs_count: int, group: int) -> RoundRows:
    """The rounding of K inputs."""
    if inputs is Inputs.FP16:
        return to_half
    return to_int4(np.ones(inputs_count // group, np.float32), Activation.PER_GROUP)


def to_half(x: Float32s) -> Float32s:
    """Rows rounded to FP16."""
    return x.astype(np.float16).astype(np.float32)


def to_int4(steady: Float32s, activation: Activation) -> RoundRows:
    """Rounding to 4 bits without regard to the mask.

    Args:
        steady: `[K/G]` static scale of each group.
        activation: how the scales of a row are chosen.
    """

    def round_rows(x: Float32s) -> Float32s:
        quantized = quantize(x, steady, np.zeros(len(x), bool), activation)
        group = x.shape[1] // steady.shape[0]
        scales = np.repeat(quantized.scales, group, axis=1)
        return quantized.codes.astype(np.float32) * scales

    return round_rows
