"""Time-aware INT4 quantization of activations: the definition, in plain NumPy.

    s[m, g]   scale of row m and group g, chosen by `activation` and the mask
    q[m, k] = clip(round_half_even(x[m, k] · (1 / s[m, g(k)])), −7, 7)

M rows, K inputs (a multiple of G), G group size. All arithmetic is float32, so that engines
agree on every code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taolora_ros.config import Activation
from taolora_ros.quantization.int4 import LARGEST, Codes
from taolora_ros.samples import Bools, Float32s

_SEVENTH = np.float32(1.0) / np.float32(LARGEST)


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """Rows of activations at 4 bits."""

    codes: Codes  # [M, K] int8, −7..7
    scales: Float32s  # [M, K/G] what a code of 1 is worth
    saturated: npt.NDArray[np.int32]  # [M] activations beyond the *steady* clip


def quantize(
    x: Float32s, steady: Float32s, is_transient: Bools, activation: Activation
) -> Quantized:
    """Round rows to 4 bits.

    Args:
        x: `[M, K]` float32, finite.
        steady: `[K/G]` float32, steady scale of each group, positive.
        is_transient: `[M]` the mask.
        activation: how scales are chosen.
    """
    groups = x.reshape(x.shape[0], steady.shape[0], -1)
    scales = _scales(np.abs(groups).max(axis=2), steady, is_transient, activation)
    codes = np.rint(groups * (np.float32(1.0) / scales)[:, :, None])
    beyond = np.abs(np.rint(groups * (np.float32(1.0) / steady)[:, None])) > LARGEST
    return Quantized(
        codes=np.clip(codes, -LARGEST, LARGEST).astype(np.int8).reshape(x.shape),
        scales=scales,
        saturated=np.count_nonzero(beyond, axis=(1, 2)).astype(np.int32),
    )


def _scales(
    largest: Float32s, steady: Float32s, is_transient: Bools, activation: Activation
) -> Float32s:
    """The scale of every row and group, `[M, K/G]`, from the largest magnitude in each."""
    fixed = np.broadcast_to(steady, largest.shape)
    if activation is Activation.STATIC:
        return fixed
    if activation is Activation.PER_TOKEN:
        largest = np.broadcast_to(largest.max(axis=1, keepdims=True), largest.shape)
    following = np.where(largest > 0.0, largest * _SEVENTH, fixed)
    if activation is Activation.TIME_AWARE:
        return np.where(is_transient[:, None], following, fixed)
    return following
