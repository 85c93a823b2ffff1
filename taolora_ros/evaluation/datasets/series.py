"""What a labeled data set is: normal rows to learn from, and test rows with labels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from taolora_ros.samples import NS_PER_S, Bools, Floats, Recording


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One labeled run, and the normal recordings that a detector of it may learn from."""

    name: str
    train: tuple[Recording, ...]  # normal rows alone
    test: Recording
    labels: Bools  # [T] whether a test row is anomalous
    continues: bool  # whether the test rows follow the last training row without a break
    rate_hz: float

    @property
    def has_events(self) -> bool:
        """Whether any test row is anomalous."""
        return bool(self.labels.any())


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Series of one machine or kind of machine."""

    name: str
    channels: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def labeled(self) -> tuple[Series, ...]:
        """The series that have events."""
        return tuple(series for series in self.series if series.has_events)


def grid_recording(
    name: str, values: Floats, rate_hz: float, *, starts: tuple[int, ...] = (0,)
) -> Recording:
    """Rows that were sampled on a grid: a stamp a row, counted from 0, and no peaks."""
    stamps_ns = np.round(np.arange(len(values)) * NS_PER_S / rate_hz).astype(np.int64)
    return Recording(name, stamps_ns, values, np.zeros_like(values), starts)


def breaks(kept: Bools) -> tuple[int, ...]:
    """Where segments start among the rows that are kept.

    Args:
        kept: `[T]` which rows stay; rows beside each other stay together.
    """
    rows = np.flatnonzero(kept)
    return (0, *(np.flatnonzero(np.diff(rows) > 1) + 1).tolist())


def close_gaps(flags: Bools, longest: int) -> Bools:
    """Flags with the gaps between two runs of them filled, if at most so many rows long."""
    closed = flags.copy()
    rows = np.flatnonzero(flags)
    for before, after in pairwise(rows.tolist()):
        if after - before - 1 <= longest:
            closed[before:after] = True
    return closed
