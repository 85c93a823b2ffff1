"""From the samples of a closed cell to a row: what is fresh, what is held, what is in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from taolora_ros.ingest.cells import CellSamples
from taolora_ros.samples import Bools, Floats, Gap, Ints, Row

# C channels

Cell = dict[int, CellSamples]  # by topic


class RowBuilder:
    """Builds rows in order of time and remembers what empty cells hold.

    Args:
        columns: for each topic, the positions of its channels within a row.
        is_linear: whether empty cells lie on the line to the next sample, where that is known,
            instead of holding the last one.
    """

    def __init__(self, columns: Sequence[Ints], *, is_linear: bool) -> None:
        self._columns, self._is_linear = columns, is_linear
        self._places = [_place(topic) for topic in columns]
        self._size = sum(len(topic) for topic in columns)
        self._held: Floats = np.full(self._size, np.nan)  # last finite sample
        self._held_ns: Ints = np.zeros(self._size, dtype=np.int64)
        self._awaited: Bools = np.ones(self._size, dtype=np.bool_)
        self._last_end_ns: int | None = None  # of the last row
        self._is_broken = False
        self.is_waiting = True  # for channels without which there is no row

    def restart(self, anew: Sequence[int]) -> None:
        """Begin a new segment, in which the topics `anew` have to speak before the first row."""
        self._awaited = np.isnan(self._held)
        for topic in anew:
            self._awaited[self._columns[topic]] = True
        self.is_waiting = bool(self._awaited.any())
        self._is_broken = self._last_end_ns is not None

    def wait_no_longer(self) -> None:
        """Go on with what channels said before the segment began, where they said anything."""
        self._awaited &= np.isnan(self._held)
        self.is_waiting = bool(self._awaited.any())

    def build(
        self, start_ns: int, end_ns: int, cell: Cell, later: Mapping[int, Cell]
    ) -> list[Row | Gap]:
        """The row of the next cell, a gap before it where one was; nothing while waiting.

        Args:
            start_ns: where the cell starts.
            end_ns: where it ends.
            cell: its samples.
            later: cells after it with the samples that they have so far, by number.
        """
        values, peaks = self._held.copy(), np.zeros(self._size)
        fresh: Bools = np.zeros(self._size, dtype=np.bool_)
        for topic, samples in cell.items():
            self._take(topic, samples, values, peaks, fresh)
        if self._is_linear and later:
            self._interpolate((start_ns + end_ns) // 2, later, values, fresh)
        if self.is_waiting:
            self._awaited &= ~fresh
            self.is_waiting = bool(self._awaited.any())
            if self.is_waiting:
                return []
        items: list[Row | Gap] = []
        if self._is_broken and self._last_end_ns is not None:
            items.append(Gap(self._last_end_ns, start_ns))
        self._is_broken, self._last_end_ns = False, end_ns
        items.append(Row(start_ns, values, peaks, fresh))
        return items

    def newest_ns(self, topic: int, cells: Mapping[int, Cell]) -> Ints:
        """Stamps of the newest finite sample of each of a topic's channels, in all cells."""
        columns = self._columns[topic]
        newest = np.where(np.isnan(self._held[columns]), 0, self._held_ns[columns])
        for cell in cells.values():
            if topic in cell:
                samples = cell[topic].summary()
                is_known = np.isfinite(samples.last)
                newest = np.where(is_known, np.maximum(newest, samples.last_ns), newest)
        return newest

    def _take(
        self, topic: int, samples: CellSamples, values: Floats, peaks: Floats, fresh: Bools
    ) -> None:
        single = samples.single()
        if single is not None:
            place = self._places[topic]
            self._held_ns[place], self._held[place] = single
            values[place] = self._held[place]
            fresh[place] = True
            return
        columns, cell = self._columns[topic], samples.summary()
        known = np.isfinite(cell.mean)
        columns = columns[known]
        values[columns], peaks[columns] = cell.mean[known], cell.peak[known]
        fresh[columns] = True
        self._held[columns], self._held_ns[columns] = cell.last[known], cell.last_ns[known]

    def _interpolate(
        self, center_ns: int, later: Mapping[int, Cell], values: Floats, fresh: Bools
    ) -> None:
        pending = ~fresh & ~np.isnan(self._held)
        for number in sorted(later):
            if not pending.any():
                break
            for topic, samples in later[number].items():
                columns = self._columns[topic]
                following = samples.summary()
                takes = pending[columns] & np.isfinite(following.first)
                chosen = columns[takes]
                before_ns, held = self._held_ns[chosen], self._held[chosen]
                span_ns = np.maximum(following.first_ns[takes] - before_ns, 1)
                share = np.clip((center_ns - before_ns) / span_ns, 0.0, 1.0)
                values[chosen] = held + share * (following.first[takes] - held)
                pending[chosen] = False


def _place(columns: Ints) -> slice | Ints:
    """Columns as a slice where they are neighbors, which NumPy reaches much faster."""
    first = int(columns[0])
    is_run = np.array_equal(columns, np.arange(first, first + len(columns)))
    return slice(first, first + len(columns)) if is_run else columns
