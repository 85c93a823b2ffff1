"""The outlier buffer: full-precision rows around events, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import PreservationConfig
from taolora_ros.samples import NS_PER_S, Event, EventState, Floats, Ints, Row

ROW_BYTES = 450  # that a Row takes beside its numbers, in CPython 3.11


@dataclass(frozen=True, eq=False)
class Excerpt:
    """What was kept of one event."""

    event_id: int
    stamps_ns: Ints  # [T]
    values: Floats  # [T, C] as they came from the grid
    peaks: Floats  # [T, C]
    is_cut: bool  # whether the memory limit cut the event's end


@dataclass(frozen=True, slots=True, eq=False)
class _Finished:
    """The rows of an excerpt that nobody has asked for; a hop has no time to stack them."""

    event_id: int
    rows: list[Row]
    is_cut: bool

    def excerpt(self) -> Excerpt:
        return Excerpt(
            self.event_id,
            np.array([row.stamp_ns for row in self.rows], dtype=np.int64),
            np.stack([row.values for row in self.rows]),
            np.stack([row.peaks for row in self.rows]),
            self.is_cut,
        )


class OutlierBuffer:
    """Keeps `pre_s` of rows at all times, and an event's rows until `post_s` after its end.

    `max_mb` bounds the rows before an event, those of the event, and those of finished excerpts
    that nobody has taken yet, each.
    """

    def __init__(
        self, config: PreservationConfig, channels: int, period_s: float, *, lead_rows: int = 0
    ) -> None:
        """Make ready for a stream.

        Args:
            config: how long and how much to keep.
            channels: C.
            period_s: time between rows.
            lead_rows: rows that may pass between an event's onset and word of it.
        """
        self._max_rows = max(2, int(config.max_mb * 1e6 / (ROW_BYTES + 17 * channels)))
        pre = max(1, round(config.pre_s / period_s)) + lead_rows
        self._pre: deque[Row] = deque(maxlen=min(pre, self._max_rows))
        self._pre_ns = round(config.pre_s * NS_PER_S)
        self._post_ns = round(config.post_s * NS_PER_S)
        self._kept: list[Row] | None = None
        self._event: Event | None = None
        self._is_cut = False
        self._done: deque[_Finished] = deque()
        self.dropped_rows = 0  # rows of events that the memory limit cut off

    def push(self, row: Row) -> None:
        """Take one row."""
        self._pre.append(row)
        if self._kept is None:
            return
        if len(self._kept) < self._max_rows:
            self._kept.append(row)
        else:
            self._is_cut = True
            self.dropped_rows += 1
        event = self._event
        if (
            event
            and event.state is EventState.END
            and row.stamp_ns >= event.end_ns + self._post_ns
        ):
            self._finish(event.id)

    def follow(self, event: Event | None) -> None:
        """Take what the tracker says of the present hop."""
        if event is None:
            return
        if self._kept is not None and self._event is not None and self._event.id != event.id:
            self._finish(self._event.id)
        if self._kept is None:
            start_ns = event.onset_ns - self._pre_ns
            self._kept = [row for row in self._pre if row.stamp_ns >= start_ns]
            self._is_cut = False
        self._event = event

    def take(self) -> list[Excerpt]:
        """Excerpts finished since the last call; the oldest are dropped beyond `max_mb`."""
        excerpts = [finished.excerpt() for finished in self._done]
        self._done.clear()
        return excerpts

    def discard(self) -> None:
        """Forget the excerpts finished since the last call."""
        self._done.clear()

    def clear(self) -> None:
        """Forget the stream, finishing what is being kept."""
        if self._kept is not None and self._event is not None:
            self._finish(self._event.id)
        self._pre.clear()

    def _finish(self, event_id: int) -> None:
        self._done.append(_Finished(event_id, self._kept or [], self._is_cut))
        held = sum(len(finished.rows) for finished in self._done)
        while held > self._max_rows and len(self._done) > 1:
            dropped = len(self._done.popleft().rows)
            held -= dropped
            self.dropped_rows += dropped
        self._kept = None
        self._event = None
