"""The evidence for an event: statistics of the newest rows, each sensitive to its own faults.

Each looks at re-based rows u [n, I] and at whitened residuals r [n, I] of the network, and gives
one value (larger is stranger) with the share that each input has in it.

    IMPACT      log max_i  mean over a token of r²        one sensor hit, at once
    BURST       log mean_i mean over a token of r²        the whole robot hit
    RESIDUAL    mean over 32 rows of log mean_i r²        a changed mechanism
    ENDURING    mean over 128 rows of log mean_i r²       a slowly changed mechanism
    LEVEL       log mean_i (mean over 16 rows of u)²      load, speed or bias off
    ROUGHNESS   mean_i log mean over 32 rows of (Δu)²     vibration, friction, looseness
    STILLNESS   max_i of how far that log lies under its normal value: frozen, silent
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Floats
from taolora_ros.signals.ring import RowRing

TINY = 1e-6  # added to a power in normal variances before its logarithm is taken
STILL = 1e-5  # the same for the power of differences


class Evidence(enum.IntEnum):
    """Which statistic; the value is its column."""

    IMPACT = 0
    BURST = 1
    RESIDUAL = 2
    ENDURING = 3
    LEVEL = 4
    ROUGHNESS = 5
    STILLNESS = 6


LEVEL_ROWS = 16
SHORT_ROWS = 32
LONG_ROWS = 128


@dataclass(frozen=True, eq=False)
class RoughnessNorm:
    """Center and spread of each input's log difference power on normal data."""

    center: Floats  # [I]
    spread: Floats  # [I]


@dataclass(frozen=True, eq=False)
class Evidences:
    """All statistics after one token."""

    values: Floats  # [E]
    shares: Floats  # [E, I]; each row sums to 1


class EvidenceWindows:
    """Streams tokens through the windows of all statistics."""

    def __init__(self, norm: RoughnessNorm) -> None:
        inputs = len(norm.center)
        self._norm = norm
        self._rows = RowRing(SHORT_ROWS + 1, inputs)
        self._powers = RowRing(LONG_ROWS, inputs)
        self._logs = RowRing(LONG_ROWS, 1)

    def step(self, patch: Floats, residual: Floats) -> Evidences:
        """Statistics after a token.

        Args:
            patch: re-based rows u [P, I].
            residual: whitened residuals r [P, I] of the same rows.
        """
        self._rows.push(patch)
        power = residual**2
        self._powers.push(power)
        self._logs.push(np.log(power.mean(axis=1, keepdims=True) + TINY))

        token = power.mean(axis=0)
        short = self._powers.newest(SHORT_ROWS).mean(axis=0)
        level = self._rows.newest(LEVEL_ROWS).mean(axis=0) ** 2
        roughness = log_roughness(self._rows.newest(SHORT_ROWS + 1))
        rise = (roughness - self._norm.center) / self._norm.spread
        values = np.array(
            [
                np.log(token.max() + TINY),
                np.log(token.mean() + TINY),
                self._logs.newest(SHORT_ROWS).mean(),
                self._logs.newest(LONG_ROWS).mean(),
                np.log(level.mean() + TINY),
                roughness.mean(),
                (-rise).max(),
            ]
        )
        enduring = self._powers.newest(LONG_ROWS).mean(axis=0)
        shares = np.stack([token**2, token, short, enduring, level, _up(rise), _up(-rise)])
        totals = shares.sum(axis=1, keepdims=True)
        return Evidences(values, shares / np.where(totals > 0, totals, 1.0))

    def clear(self) -> None:
        """Forget the stream."""
        self._rows.clear()
        self._powers.clear()
        self._logs.clear()


def log_roughness(rows: Floats) -> Floats:
    """Log power [I] of the first differences of rows [n, I]; that of stillness for n < 2."""
    if len(rows) < 2:
        return np.full(rows.shape[1], np.log(STILL))
    power: Floats = np.mean(np.diff(rows, axis=0) ** 2, axis=0)
    return np.log(power + STILL)


def _up(rise: Floats) -> Floats:
    return np.maximum(rise, 0.0) ** 2
