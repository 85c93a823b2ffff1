"""High-frequency energy of a token: the power of its second differences."""

from __future__ import annotations

import numpy as np

from taolora_ros.config import MAX_PATCH
from taolora_ros.ingest.windows import RingWindow, Window
from taolora_ros.kernels.jit import compact, formula
from taolora_ros.samples import Floats
from taolora_ros.signals import columns
from taolora_ros.signals.baseline import Baseline, LogBaseline

FLOOR = 1e-4  # power, in normal variances, below which a channel counts as still
DEVIATION = 1.2533  # standard deviation of a normal law, in mean absolute departures: √(π/2)


class HighFrequencyEnergy:
    """Largest robust z-score, over the inputs, of log second-difference energy."""

    def __init__(self, inputs: int, memory_hops: float) -> None:
        self._ring = RingWindow(MAX_PATCH + 2, inputs)
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
def log_energy(rows: Floats, logs: Floats) -> None:
    """Logarithm [I] of the power of the second differences of rows [3 or more, I]."""
    compact()
    columns.bend_power(rows, logs)
    columns.log(logs, FLOOR)


@formula
def energy_z(logs: Floats, center: Floats, spread: Floats) -> float:
    """The z-score, of logarithms [I] against their baseline; 0 where none lies above it."""
    compact()
    largest = 0.0
    for i in range(len(logs)):
        departure = (logs[i] - center[i]) / (DEVIATION * spread[i])
        largest = np.maximum(largest, departure)
    return largest
