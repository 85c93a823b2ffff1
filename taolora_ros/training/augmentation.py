"""Disturbances put into normal rows, so that the FP16 path meets transients before it is live.

Each changes some channels for some rows, up to 30 standard deviations. They stand for shapes of
events, not for the events of any data set; amplitudes are in units of a channel's standard
deviation, since rows arrive scaled.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Bools, Float32s

LARGEST_SIGMA = 30.0
_SMALLEST_SIGMA = 2.0
_SPACING_ROWS = 96  # mean distance between two disturbances


class Disturbance(enum.Enum):
    """The shape of an artificial transient."""

    SPIKE = 'spike'  # one to three rows far off
    STEP = 'step'  # an offset that stays a while
    BURST = 'burst'  # added broadband noise
    GAIN = 'gain'  # a channel's movement grows
    DROPOUT = 'dropout'  # a channel holds, or falls to one value


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """Rows with disturbances in them."""

    rows: Float32s  # [T, I]
    is_touched: Bools  # [T]


def disturb(rows: Float32s, kind: Disturbance, rng: np.random.Generator) -> Disturbed:
    """Put disturbances of one kind at random places of normal rows `[T, I]`."""
    changed = rows.copy()
    touched = np.zeros(rows.shape[0], bool)
    for _ in range(max(1, rows.shape[0] // _SPACING_ROWS)):
        longest = 3 if kind is Disturbance.SPIKE else 48
        length = int(rng.integers(1, longest + 1))
        first = int(rng.integers(0, max(1, rows.shape[0] - length)))
        span = slice(first, first + length)
        channels = _some_channels(rows.shape[1], rng)
        changed[span, channels] = _disturbed(changed[span, channels], kind, rng)
        touched[span] = True
    limit = np.float32(4 * LARGEST_SIGMA)
    return Disturbed(rows=np.clip(changed, -limit, limit), is_touched=touched)


def _some_channels(count: int, rng: np.random.Generator) -> Bools:
    """One channel, a few, or many: an impact shows in several at once."""
    share = rng.choice([0.0, 0.15, 0.5])
    chosen: Bools = rng.random(count) < share
    chosen[rng.integers(count)] = True
    return chosen


def _disturbed(block: Float32s, kind: Disturbance, rng: np.random.Generator) -> Float32s:
    """The block `[length, channels]` with one disturbance."""
    length, channels = block.shape
    size = np.exp(rng.uniform(np.log(_SMALLEST_SIGMA), np.log(LARGEST_SIGMA)))
    weight = rng.normal(size=channels)
    weight *= size / max(float(np.abs(weight).max()), 1e-6)
    if kind is Disturbance.SPIKE:
        decay = np.exp(-np.arange(length) / max(length / 2, 0.5))
        return (block + decay[:, None] * weight).astype(np.float32)
    if kind is Disturbance.STEP:
        return (block + weight).astype(np.float32)
    if kind is Disturbance.BURST:
        return (block + rng.normal(size=block.shape) * weight / 2).astype(np.float32)
    if kind is Disturbance.GAIN:
        center: Float32s = block.mean(axis=0)
        return (center + (block - center) * (1.0 + np.abs(weight))).astype(np.float32)
    held = block[0] if rng.random() < 0.5 else np.clip(weight, -5.0, 5.0).astype(np.float32)
    return np.repeat(held[None], length, axis=0)
