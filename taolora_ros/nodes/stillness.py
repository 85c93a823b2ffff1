"""How long each channel has repeated one value although samples of it come."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from taolora_ros.samples import NS_PER_S, Floats, Gap, Ints, Row

# C channels


class Stillness:
    """Follows rows; a silent channel is not still, but stale."""

    def __init__(self, channels: int) -> None:
        """Make ready for a stream.

        Args:
            channels: C.
        """
        self._value: Floats = np.full(channels, np.nan)
        self._changed_ns: Ints = np.zeros(channels, dtype=np.int64)
        self._heard_ns: Ints = np.zeros(channels, dtype=np.int64)

    def push(self, items: Iterable[Row | Gap]) -> None:
        """Take rows as they come from the grid; after a gap all channels count anew."""
        for item in items:
            if isinstance(item, Gap):
                self._value[:] = np.nan
                continue
            moves = item.fresh & ((item.values != self._value) | (item.peaks != 0.0))
            self._value = np.where(item.fresh, item.values, self._value)
            self._changed_ns[moves] = item.stamp_ns
            self._heard_ns[item.fresh] = item.stamp_ns

    @property
    def still_s(self) -> Floats:
        """Time [C] in s for which each channel has repeated its value."""
        return (self._heard_ns - self._changed_ns) / NS_PER_S
