"""Variance of the last rows against a slow baseline of itself."""

from __future__ import annotations

import numpy as np

from taolora_ros.ingest.windows import RingWindow, Window
from taolora_ros.kernels.jit import compact, formula
from taolora_ros.samples import Floats
from taolora_ros.signals import columns
from taolora_ros.signals.baseline import Baseline, LogBaseline

ROWS = 16
FLOOR = 1e-4  # variance, in normal variances, below which a channel counts as still
LEAST = 0.1  # variance, in normal variances, with which a channel that was still is compared


class VarianceRatio:
    """Largest ratio, over the inputs, of the variance of the last 16 rows to its baseline."""

    def __init__(self, inputs: int, memory_hops: float) -> None:
        self._ring = RingWindow(ROWS, inputs)
        self._baseline = LogBaseline(inputs, memory_hops)

    @property
    def parts(self) -> tuple[Window, Baseline]:
        """Window and baseline, as compiled code takes them."""
        return self._ring.parts, self._baseline.parts

    def reset(self) -> None:
        """Forget the stream."""
        self._ring.clear()
        self._baseline.reset()


@formula
def log_variance(rows: Floats, scratch: Floats, logs: Floats) -> None:
    """Logarithm [I] of the variance of rows [n, I]; `scratch` is [I]."""
    compact()
    columns.variance(rows, scratch, logs)
    columns.log(logs, FLOOR)


@formula
def variance_ratio(logs: Floats, center: Floats) -> float:
    """The ratio, of logarithms [I] against their baseline's center [I]; 1 is 'as usual'."""
    compact()
    largest = -np.inf
    for i in range(len(logs)):
        usual = np.maximum(center[i], np.log(LEAST))
        largest = np.maximum(largest, logs[i] - usual)
    return float(np.exp(largest))
