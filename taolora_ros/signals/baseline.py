"""A slow baseline that a short transient can't move, however strong it is."""

from __future__ import annotations

import numpy as np
from numba import types

from taolora_ros.kernels.jit import compact, formula, writes
from taolora_ros.samples import Floats, Ints

Baseline = tuple[Floats, Floats, Ints, float]  # as compiled code takes it, see `LogBaseline.parts`
BASELINE = types.Tuple((writes(1), writes(1), writes(1, types.int64), types.float64))
MIN_SPREAD = 0.05  # in e-folds


class LogBaseline:
    """Running center and spread of log values, with clipped steps.

    A recursive Huber estimate (Huber 1964): a hop counts for at most three spreads, so a burst
    of a few hops shifts the baseline by a few small steps whatever its strength, while noise
    that lasts becomes the baseline. Compiled code takes its `parts` and calls `follow` on them.
    """

    def __init__(self, columns: int, memory_hops: float) -> None:
        self._memory = max(memory_hops, 1.0)
        self.center: Floats = np.empty(columns)
        self.spread: Floats = np.empty(columns)  # mean absolute departure from the center
        self._hops: Ints = np.empty(1, np.int64)
        self.reset()

    @property
    def parts(self) -> Baseline:
        """Center [columns], spread [columns], hops so far [1], and the memory in hops."""
        return self.center, self.spread, self._hops, self._memory

    def reset(self) -> None:
        """Forget the stream."""
        self.center[:] = 0.0
        self.spread[:] = 1.0
        self._hops[:] = 0

    def update(self, values: Floats) -> None:
        """Follow the logarithms [columns] of one hop."""
        follow(self.parts, values)


@formula
def follow(baseline: Baseline, values: Floats) -> None:
    """Move a baseline by the logarithms [columns] of one hop."""
    compact()
    center, spread, hops, memory = baseline
    hops[0] += 1
    weight = max(1.0 / memory, 1.0 / hops[0])
    for i in range(len(values)):
        if hops[0] == 1:
            center[i] = values[i]
            continue
        departure, limit = values[i] - center[i], 3.0 * spread[i]
        center[i] += weight * np.minimum(np.maximum(departure, -limit), limit)
        spread[i] += weight * (np.minimum(np.abs(departure), limit) - spread[i])
        spread[i] = np.maximum(spread[i], MIN_SPREAD)
