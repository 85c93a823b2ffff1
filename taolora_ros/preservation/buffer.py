"""The outlier buffer: full-precision rows around events, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import PreservationConfig
from taolora_ros.samples import NS_PER_S, Event, EventState, Floats, Ints, Row


@dataclass(frozen=True, eq=False)
class Excerpt:
    """What was kept of one event."""

    event_id: int
    stamps_ns: Ints  # [T]
    values: Floats  # [T, C] as they came from the grid
    peaks: Floats  # [T, C]
    is_cut: bool  # whether the memory limit cut the event's end


class OutlierBuffer:
    """Keeps `pre_s` of rows at all times, and an event's rows until `post_s` after its end."""

    def __init__(self, config: PreservationConfig, channels: int, period_s: float) -> None:
        self._pre: deque[Row] = deque(maxlen=max(1, round(config.pre_s / period_s)))
        self._post_ns = round(config.post_s * NS_PER_S)
        self._max_rows = max(2, int(config.max_mb * 1e6 / (17 * channels + 8)))
        self._kept: list[Row] | None = None
        self._event: Event | None = None
        self._is_cut = False
        self._done: deque[Excerpt] = deque(maxlen=16)
        self.dropped_rows = 0  # rows of events that the memory limit cut off

    def push(self, row: Row) -> None:
        """Take one row."""
        if self._kept is None:
            self._pre.append(row)
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
            self._kept = list(self._pre)
            self._is_cut = False
        self._event = event

    def take(self) -> list[Excerpt]:
        """Excerpts finished since the last call; at most the newest 16 are held."""
        done = list(self._done)
        self._done.clear()
        return done

    def clear(self) -> None:
        """Forget the stream, finishing what is being kept."""
        if self._kept is not None and self._event is not None:
            self._finish(self._event.id)
        self._pre.clear()

    def _finish(self, event_id: int) -> None:
        rows = self._kept or []
        self._done.append(
            Excerpt(
                event_id,
                np.array([row.stamp_ns for row in rows], dtype=np.int64),
                np.stack([row.values for row in rows]),
                np.stack([row.peaks for row in rows]),
                self._is_cut,
            )
        )
        self._pre.extend(rows)
        self._kept = None
        self._event = None
