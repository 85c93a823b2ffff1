"""Variance of the last rows against a slow baseline of itself."""

from __future__ import annotations

import numpy as np

from taolora_ros.ingest.windows import RingWindow
from taolora_ros.samples import Floats
from taolora_ros.signals.baseline import LogBaseline

ROWS = 16
FLOOR = 1e-4  # variance, in normal variances, below which a channel counts as still


class VarianceRatio:
    """Largest ratio, over the inputs, of the variance of the last 16 rows to its baseline."""

    def __init__(self, inputs: int, memory_hops: float) -> None:
        self._ring = RingWindow(ROWS, inputs)
        self._baseline = LogBaseline(inputs, memory_hops)

    def step(self, patch: Floats, *, is_frozen: bool = False) -> float:
        """The ratio after a token [P, I]; 1 is 'as usual'."""
        self._ring.extend(patch)
        logs = np.log(self._ring.view(ROWS).var(axis=0) + FLOOR)
        # A channel that was still until now is compared with a normal variance of a tenth.
        usual = np.maximum(self._baseline.center, np.log(0.1))
        ratio = float(np.exp(np.max(logs - usual)))
        if not is_frozen:
            self._baseline.update(logs)
        return ratio

    def reset(self) -> None:
        """Forget the stream."""
        self._ring.clear()
        self._baseline.reset()
