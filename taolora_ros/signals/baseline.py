"""A slow baseline that a short transient can't move, however strong it is."""

from __future__ import annotations

import numpy as np

from taolora_ros.samples import Floats


class LogBaseline:
    """Running center and spread of log values, with clipped steps.

    A recursive Huber estimate (Huber 1964): a hop counts for at most three spreads, so a burst
    of a few hops shifts the baseline by a few small steps whatever its strength, while noise
    that lasts becomes the baseline.
    """

    def __init__(self, columns: int, memory_hops: float) -> None:
        self._memory = max(memory_hops, 1.0)
        self._columns = columns
        self.center: Floats = np.zeros(columns)
        self.spread: Floats = np.ones(columns)  # mean absolute departure from the center
        self._hops = 0

    def reset(self) -> None:
        """Forget the stream."""
        self._hops = 0
        self.center = np.zeros(self._columns)
        self.spread = np.ones(self._columns)

    def update(self, values: Floats) -> None:
        """Follow the logarithms [columns] of one hop."""
        self._hops += 1
        if self._hops == 1:
            self.center = values.copy()
            return
        weight = max(1.0 / self._memory, 1.0 / self._hops)
        departure = values - self.center
        limit = 3.0 * self.spread
        self.center += weight * np.clip(departure, -limit, limit)
        self.spread += weight * (np.minimum(np.abs(departure), limit) - self.spread)
        np.maximum(self.spread, 0.05, out=self.spread)
