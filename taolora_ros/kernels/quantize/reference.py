"""Time-aware INT4 quantization of activations: the definition, in plain NumPy.

    s[m, g]   scale of row m and group g, chosen by `activation` and the mask
    q[m, k] = clip(round_half_even(x[m, k] · (1 / s[m, g(k)])), −L[m], L[m])

L is 7: one nibble. On transient rows of time-aware quantization L is 98 and s is the group's
largest magnitude over 98: such a code is two nibbles, 14·q₁ + q₂ with both in −7..7. With
s₁ = 14·s, q₁ is the code of x at scale s₁, and q₂ that of what the first leaves, at scale s:

    s·q = Q4(x) + Q4(x − Q4(x))

A single INT8 product serves both nibbles; an INT4 unit takes two, with the same weights.

M rows, K inputs (a multiple of G), G group size. All arithmetic is float32, so that engines
agree on every code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.quantization.int4 import LARGEST
from taolora_ros.quantization.octaves import Codes
from taolora_ros.samples import Bools, Float32s

BASE = 2 * LARGEST  # what the first nibble counts of the second
LARGEST_PAIR = BASE * LARGEST  # the second nibble of the largest magnitude is 0

_LEAST = np.finfo(np.float32).tiny  # of a scale, whose inverse is finite


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """Rows of activations at 4 bits, transient ones at twice 4."""

    codes: Codes  # [M, K] int8, −7..7 or −98..98
    scales: Float32s  # [M, K/G] what a code of 1 is worth


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
    largest = np.full(x.shape[0], LARGEST, np.float32)
    if activation is Activation.TIME_AWARE:
        largest[is_transient] = LARGEST_PAIR
    scales = _scales(groups, largest, steady, is_transient, activation)
    codes = groups * (np.float32(1.0) / scales)[:, :, None]
    np.rint(codes, out=codes)
    limit = largest[:, None, None]
    np.clip(codes, -limit, limit, out=codes)
    return Quantized(codes=codes.astype(np.int8).reshape(x.shape), scales=scales)


def _scales(
    groups: Float32s,
    codes: Float32s,
    steady: Float32s,
    is_transient: Bools,
    activation: Activation,
) -> Float32s:
    """The scale of every row and group, `[M, K/G]`, from the largest code of each row `[M]`."""
    fixed = np.broadcast_to(steady, groups.shape[:2])
    is_fixed = activation is Activation.TIME_AWARE and not is_transient.any()
    if activation is Activation.STATIC or is_fixed:
        return fixed
    largest = np.abs(groups).max(axis=2)
    if activation is Activation.PER_TOKEN:
        largest = np.broadcast_to(largest.max(axis=1, keepdims=True), largest.shape)
    following = largest * (np.float32(1.0) / codes)[:, None]
    following = np.where(following >= _LEAST, following, fixed)
    if activation is Activation.TIME_AWARE:
        return np.where(is_transient[:, None], following, fixed)
    return following
