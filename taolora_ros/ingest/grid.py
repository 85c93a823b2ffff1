"""The common sample clock: samples of several topics in, rows of all channels out.

Cell k covers [k, k + 1) / sample_rate_hz on the absolute clock, so a recording and the live graph
cut time at the same places. A cell's value is the mean of its samples, and its peak the farthest
sample from that mean: nothing sharp is lost to resampling. Rows depend on the data's stamps
alone, never on when the process got round to them.

A cell closes once every topic that may still have a sample for it has gone past its end, or the
newest stamp of all topics is `lateness_s` past it. A sample that comes later still moves to the
oldest open cell, unless its channels have newer values already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from taolora_ros.config import Fill, IngestConfig
from taolora_ros.ingest.cadence import Cadence
from taolora_ros.ingest.cells import CellSamples
from taolora_ros.ingest.rows import Cell, RowBuilder
from taolora_ros.samples import NS_PER_S, Bools, Gap, Ints, Row

# C channels

_LARGEST = 1e38  # beyond this a float32 ends; such values count as not finite
_MAX_HELD_ROWS = 100_000  # a silence of more rows than this is a gap whatever the settings say


@dataclass(slots=True)
class GridCounts:
    """What became of the samples."""

    late: int = 0  # came after their cell had closed and moved to an open one
    dropped: int = 0  # late, and older than the values their channels had already
    repeated: int = 0  # same stamp and same values as the topic's sample before
    stray: int = 0  # a single stamp far ahead of all others
    non_finite: int = 0  # values that are NaN, infinite, too large or missing
    rows: int = 0
    gaps: int = 0
    restarts: int = 0  # time jumped back


class Grid:
    """Turns dated samples of several topics into rows.

    Args:
        columns: for each topic, the positions of its channels within a row.
        config: rate, fill and patience.
    """

    _newest: int | None  # newest stamp of all topics in this segment
    _stray: tuple[int, int, tuple[float, ...]] | None  # a jump ahead to be confirmed
    _back_ns: int | None  # first of a row of stamps from the past
    _unheard: Bools | None  # [C] channels without any value so far; None when there are none
    _cells: dict[int, Cell]  # open cells with samples, by number
    _next: int  # number, start and end of the oldest open cell
    _open_ns: int
    _end_ns: int

    def __init__(self, columns: Sequence[Sequence[int]], config: IngestConfig) -> None:
        self._columns = [np.array(topic, dtype=np.intp) for topic in columns]
        self._size = sum(len(topic) for topic in columns)
        rate = Fraction(config.sample_rate_hz).limit_denominator(1_000_000)
        self._per_ns, self._ns_per = rate.numerator, rate.denominator * NS_PER_S
        self._period_ns = round(self._ns_per / self._per_ns)
        self._lateness_ns = round(config.lateness_s * NS_PER_S)
        self._stale_ns = round(config.stale_s * NS_PER_S)
        longest = _MAX_HELD_ROWS * self._period_ns
        self._gap_ns = min(max(round(config.max_gap_s * NS_PER_S), 3 * self._period_ns), longest)
        self._is_linear = config.fill is Fill.LINEAR
        self.reset()

    def reset(self) -> None:
        """Forget everything, counts included."""
        self.counts = GridCounts()
        self.non_finite: Ints = np.zeros(self._size, dtype=np.int64)  # [C] values refused
        patience = (self._period_ns, self._lateness_ns, self._stale_ns)
        self._cadences = [Cadence(*patience) for _ in self._columns]
        self._last_values: list[tuple[float, ...] | None] = [None] * len(self._columns)
        self._rows = RowBuilder(self._columns, is_linear=self._is_linear)
        self._unheard = np.ones(self._size, dtype=np.bool_)
        self._begin()

    @property
    def silent(self) -> tuple[int, ...]:
        """Channels without any value so far; while there are such, no row is emitted."""
        return () if self._unheard is None else tuple(map(int, np.flatnonzero(self._unheard)))

    def rate_hz(self, topic: int) -> float:
        """How often a topic speaks, by its last stamps; 0 while unknown."""
        return self._cadences[topic].rate_hz

    def push(self, topic: int, stamp_ns: int, values: tuple[float, ...]) -> list[Row | Gap]:
        """Take one sample of a topic; return the rows that it completes.

        Args:
            topic: its position among the `columns`.
            stamp_ns: its date, in ns.
            values: one number for each of the topic's columns.
        """
        if not sum(map(abs, values)) < _LARGEST:
            values = self._refuse_non_finite(topic, values)
        if self._unheard is not None:
            self._hear(topic, values)
        if self._newest is None:
            self._open(self._cell_of(stamp_ns - self._lateness_ns))
            self._segment_ns = stamp_ns
        elif self._stray is not None or stamp_ns - self._newest > self._gap_ns:
            return self._push_over_gap(topic, stamp_ns, values)
        return self._push_on(topic, stamp_ns, values)

    def flush(self) -> list[Row | Gap]:
        """Close all cells up to the newest sample: nothing more will come."""
        rows: list[Row | Gap] = []
        if self._stray is not None:
            self.counts.stray += 1
            self._stray = None
        while self._cells:
            rows += self._close()
        return rows

    def _push_on(self, topic: int, stamp_ns: int, values: tuple[float, ...]) -> list[Row | Gap]:
        last = self._cadences[topic].last_ns
        if stamp_ns == last and values == self._last_values[topic]:
            self.counts.repeated += 1
            return []
        if stamp_ns >= self._open_ns:
            self._back_ns = None
            return self._accept(topic, stamp_ns, values, self._cell_of(stamp_ns))
        if last is None or stamp_ns > last:
            self.counts.late += 1
            return self._accept(topic, stamp_ns, values, self._next)
        return self._push_outdated(topic, stamp_ns, values)

    def _push_outdated(
        self, topic: int, stamp_ns: int, values: tuple[float, ...]
    ) -> list[Row | Gap]:
        """A late sample older than its topic's newest: channels without newer values take it."""
        newest_ns = self._rows.newest_ns(topic, self._cells)
        if any(
            value == value and stamp_ns > known_ns
            for value, known_ns in zip(values, newest_ns, strict=True)
        ):
            self.counts.late += 1
            kept = np.where(stamp_ns > newest_ns, values, np.nan)
            return self._accept(topic, stamp_ns, tuple(kept.tolist()), self._next)
        self._cadences[topic].observe(stamp_ns)
        self.counts.dropped += 1
        if self._back_ns is None:
            self._back_ns = stamp_ns
        if stamp_ns - self._back_ns <= self._gap_ns:
            return []
        self.counts.restarts += 1  # all topics have been in the past for a while
        rows = self.flush()
        self._begin()
        return rows + self.push(topic, stamp_ns, values)

    def _push_over_gap(
        self, topic: int, stamp_ns: int, values: tuple[float, ...]
    ) -> list[Row | Gap]:
        """A jump ahead counts when a second sample confirms it; a single one is a stray."""
        assert self._newest is not None
        sample = (topic, stamp_ns, values)
        pending, self._stray = self._stray, None
        if stamp_ns - self._newest <= self._silence_ns():
            self.counts.stray += pending is not None  # time went on without it
            return self._push_on(topic, stamp_ns, values)
        if pending is None or pending == sample:
            self._stray = sample
            return []
        rows = self.flush()
        self._begin()
        for each in sorted((pending, sample), key=lambda item: item[1]):
            rows += self.push(*each)
        return rows

    def _accept(
        self, topic: int, stamp_ns: int, values: tuple[float, ...], cell: int
    ) -> list[Row | Gap]:
        topics = self._cells.get(cell)
        if topics is None:
            topics = self._cells[cell] = {}
        samples = topics.get(topic)
        if samples is None:
            samples = topics[topic] = CellSamples()
        samples.add(stamp_ns, values)
        cadence = self._cadences[topic]
        if cadence.last_ns is None or stamp_ns >= cadence.last_ns:
            self._last_values[topic] = values
        cadence.observe(stamp_ns)
        if self._newest is None or stamp_ns > self._newest:
            self._newest = stamp_ns
        rows: list[Row | Gap] = []
        while self._newest >= self._end_ns and self._may_close():
            rows += self._close()
        return rows

    def _may_close(self) -> bool:
        newest, end = self._newest, self._end_ns
        assert newest is not None
        if newest >= end + self._lateness_ns:
            return True
        if self._rows.is_waiting:  # rows are held back anyway
            return False
        return not any(
            cadence.expects(end) or (self._is_linear and self._may_fill(cadence))
            for cadence in self._cadences
        )

    def _may_fill(self, cadence: Cadence) -> bool:
        """Whether waiting for a topic's next sample, to interpolate, is worth it."""
        last = cadence.last_ns
        return last is not None and last < self._end_ns and cadence.period_ns <= self._lateness_ns

    def _silence_ns(self) -> int:
        """Silence longer than this is a gap: the fastest topic has missed three samples."""
        periods = [cadence.period_ns for cadence in self._cadences if cadence.period_ns]
        usual = 3 * min(periods) if periods else 0
        return max(self._gap_ns, min(usual, _MAX_HELD_ROWS * self._period_ns))

    def _begin(self) -> None:
        """Start a segment: topics that are never silent for long have to speak again."""
        self._cells = {}
        self._newest = self._stray = self._back_ns = None
        self._segment_ns = 0
        self._next = self._open_ns = self._end_ns = 0
        for cadence in self._cadences:
            cadence.restart()
        periods = [cadence.period_ns for cadence in self._cadences]
        self._rows.restart([n for n, period in enumerate(periods) if 0 < period <= self._gap_ns])

    def _open(self, cell: int) -> None:
        self._next = cell
        self._open_ns = self._start_of(cell)
        self._end_ns = self._start_of(cell + 1)

    def _close(self) -> list[Row | Gap]:
        cell = self._cells.pop(self._next, {})
        if self._rows.is_waiting and self._open_ns - self._segment_ns > self._stale_ns:
            self._rows.wait_no_longer()
        items = self._rows.build(self._open_ns, self._end_ns, cell, self._cells)
        self.counts.rows += bool(items)
        self.counts.gaps += len(items) == 2
        self._open(self._next + 1)
        return items

    def _refuse_non_finite(self, topic: int, values: tuple[float, ...]) -> tuple[float, ...]:
        kept = tuple(float(value) if abs(value) < _LARGEST else float('nan') for value in values)
        refused = np.isnan(kept)
        self.non_finite[self._columns[topic][refused]] += 1
        self.counts.non_finite += int(refused.sum())
        return kept

    def _hear(self, topic: int, values: tuple[float, ...]) -> None:
        assert self._unheard is not None
        self._unheard[self._columns[topic][np.isfinite(values)]] = False
        if not self._unheard.any():
            self._unheard = None

    def _cell_of(self, stamp_ns: int) -> int:
        return stamp_ns * self._per_ns // self._ns_per

    def _start_of(self, cell: int) -> int:
        return -(-cell * self._ns_per // self._per_ns)
