"""High-frequency energy of a token: the power of its second differences."""

from __future__ import annotations

import numpy as np

from taolora_ros.config import MAX_PATCH
from taolora_ros.ingest.windows import RingWindow
from taolora_ros.samples import Floats
from taolora_ros.signals.baseline import LogBaseline

FLOOR = 1e-4  # power, in normal variances, below which a channel counts as still


class HighFrequencyEnergy:
    """Largest robust z-score, over the inputs, of log second-difference energy."""

    def __init__(self, inputs: int, memory_hops: float) -> None:
        self._ring = RingWindow(MAX_PATCH + 2, inputs)
        self._baseline = LogBaseline(inputs, memory_hops)

    def step(self, patch: Floats, *, is_frozen: bool = False) -> float:
        """The z-score after a token [P, I], against the energy before it."""
        self._ring.extend(patch)
        rows = self._ring.view(len(patch) + 2)
        if len(rows) < 3:
            return 0.0
        logs = np.log(np.mean(np.diff(rows, n=2, axis=0) ** 2, axis=0) + FLOOR)
        departure = (logs - self._baseline.center) / (1.2533 * self._baseline.spread)
        z = float(np.max(departure, initial=0.0))
        if not is_frozen:
            self._baseline.update(logs)
        return z

    def reset(self) -> None:
        """Forget the stream."""
        self._ring.clear()
        self._baseline.reset()
