"""One topic's samples within one cell of the grid, and the numbers that stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import gt
from typing import Any

import numpy as np

from taolora_ros.samples import Floats, Ints

# N channels of the topic

_FOLD = 256  # samples kept one by one; more are folded into sums and extremes


@dataclass(slots=True, eq=False)
class CellSummary:
    """What is known of a cell's samples; NaN where a channel has none."""

    mean: Floats  # [N]
    peak: Floats  # [N] farthest sample minus mean; 0 with fewer than two
    first: Floats  # [N] earliest finite sample, by stamp
    first_ns: Ints  # [N]
    last: Floats  # [N] latest finite sample, by stamp
    last_ns: Ints  # [N]


class CellSamples:
    """Collects samples in any order; memory stays bounded however many there are."""

    __slots__ = ('_count', '_edges', '_high', '_low', '_sum', 'samples')

    def __init__(self) -> None:
        self.samples: list[tuple[int, tuple[float, ...]]] = []
        self._count: Floats | None = None

    def add(self, stamp_ns: int, values: tuple[float, ...]) -> None:
        """Add one sample [N]; what is missing or not finite is NaN."""
        self.samples.append((stamp_ns, values))
        if len(self.samples) >= _FOLD:
            self._fold()

    def single(self) -> tuple[int, tuple[float, ...]] | None:
        """The only sample, where there is just one and it is finite throughout."""
        if self._count is not None or len(self.samples) != 1:
            return None
        sample = self.samples[0]
        return sample if sum(sample[1]) == sum(sample[1]) else None

    def summary(self) -> CellSummary:
        """The numbers that stand for all samples so far."""
        if self._count is None and (quick := self._plain_summary()) is not None:
            return quick
        self._fold()
        count, total = self._count, self._sum
        assert count is not None
        with np.errstate(invalid='ignore'):
            mean = total / np.where(count > 0, count, np.nan)
            above, below = self._high - mean, mean - self._low
            peak = np.where(above >= below, above, -below)
        peak = np.where(count > 1, peak, 0.0)
        first_ns, first, last_ns, last = self._edges
        return CellSummary(mean, peak, first, first_ns, last, last_ns)

    def _plain_summary(self) -> CellSummary | None:
        """The usual case, without NaN and in order of stamps; None where it is not that."""
        stamps, rows = zip(*self.samples, strict=True)
        values = np.array(rows, dtype=np.float64)
        mean = values.sum(axis=0) / len(rows)
        if not np.isfinite(mean).all() or any(map(gt, stamps, stamps[1:])):
            return None
        above, below = values.max(axis=0) - mean, mean - values.min(axis=0)
        peak = np.where(above >= below, above, -below)
        first_ns, last_ns = np.full_like(mean, stamps[0], int), np.full_like(mean, stamps[-1], int)
        return CellSummary(mean, peak, values[0], first_ns, values[-1], last_ns)

    def _fold(self) -> None:
        if not self.samples:
            return
        stamps = np.array([stamp for stamp, _ in self.samples], dtype=np.int64)
        values = np.array([values for _, values in self.samples], dtype=np.float64)
        self.samples = []
        order = np.argsort(stamps, kind='stable')
        stamps, values = stamps[order], values[order]
        finite = np.isfinite(values)
        count = finite.sum(axis=0).astype(np.float64)
        total = np.where(finite, values, 0.0).sum(axis=0)
        high = np.where(finite, values, -np.inf).max(axis=0)
        low = np.where(finite, values, np.inf).min(axis=0)
        columns = np.arange(values.shape[1])
        at_first = finite.argmax(axis=0)
        at_last = len(stamps) - 1 - finite[::-1].argmax(axis=0)
        edges = [
            stamps[at_first],
            np.where(count > 0, values[at_first, columns], np.nan),
            stamps[at_last],
            np.where(count > 0, values[at_last, columns], np.nan),
        ]
        if self._count is None:
            self._count, self._sum, self._high, self._low = count, total, high, low
            self._edges = edges
            return
        self._merge_edges(edges)
        self._count = self._count + count
        self._sum = self._sum + total
        self._high = np.maximum(self._high, high)
        self._low = np.minimum(self._low, low)

    def _merge_edges(self, edges: list[Any]) -> None:
        for at, is_newer in ((0, np.less), (2, np.greater_equal)):
            stamps, values = self._edges[at], self._edges[at + 1]
            takes = np.isfinite(edges[at + 1]) & (
                is_newer(edges[at], stamps) | ~np.isfinite(values)
            )
            self._edges[at] = np.where(takes, edges[at], stamps)
            self._edges[at + 1] = np.where(takes, edges[at + 1], values)
