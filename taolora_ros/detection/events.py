"""The event tracker: from hops in alarm to events with an onset, a peak and an end."""

from __future__ import annotations

import math

import numpy as np

from taolora_ros.config import DetectionConfig
from taolora_ros.detection.evidence import LONG_ROWS
from taolora_ros.detection.scoring import Score
from taolora_ros.samples import NS_PER_S, Event, EventState, Floats, Severity


def merge_gap_ns(config: DetectionConfig, period_ns: float) -> int:
    """Quiet time that parts two events: `merge_s`, or as long as evidence looks back.

    Args:
        config: settings.
        period_ns: of the grid.
    """
    return max(round(config.merge_s * NS_PER_S), round(LONG_ROWS * period_ns))


class EventTracker:
    """Joins alarms into events.

    An event begins with the first hop in alarm, once alarms have lasted `min_duration_s`; alarms
    less than `merge_gap_ns` apart belong to it; it ends when that time has passed without one.
    """

    def __init__(self, config: DetectionConfig, period_ns: float) -> None:
        self._period_ns = period_ns
        self.retune(config)
        self._next_id = 1
        self._event: _Open | None = None

    def retune(self, config: DetectionConfig) -> None:
        """Take new settings; an open event goes on under them."""
        self._merge_ns = merge_gap_ns(config, self._period_ns)
        self._min_ns = round(config.min_duration_s * NS_PER_S)

    @property
    def onset_ns(self) -> int | None:
        """Onset of the event that is on, published or not; None without one."""
        return self._event.onset_ns if self._event else None

    def step(
        self,
        first_ns: int,
        last_ns: int,
        score: Score,
        threshold: float,
        contributions: Floats,
        *,
        is_transient: bool,
    ) -> Event | None:
        """Take one hop.

        Args:
            first_ns: stamp of the hop's first row.
            last_ns: stamp of its last row.
            score: its score.
            threshold: score that alarms.
            contributions: share of each channel [C], sums to 1.
            is_transient: whether the hop took the FP16 path.

        Returns:
            The event as it stands at its onset, at each hop that it lasts, and at its end.
        """
        event = self._event
        if score.value >= threshold:
            if event is None:
                event = self._event = _Open(self._next_id, first_ns, threshold)
            event.alarm(first_ns, last_ns, score, contributions)
        elif event is None:
            return None
        event.hops += 1
        event.transient_hops += is_transient
        if last_ns - event.end_ns > self._merge_ns:
            return self._close(score.value)
        if not event.is_published:
            if event.end_ns - event.onset_ns < self._min_ns:
                return None
            event.is_published = True
            self._next_id += 1
            return event.view(EventState.ONSET, score.value)
        return event.view(EventState.ONGOING, score.value)

    def finish(self) -> Event | None:
        """Close the open event, at a gap or when the stream ends."""
        return self._close(0.0) if self._event else None

    def _close(self, score: float) -> Event | None:
        event, self._event = self._event, None
        if event is None or not event.is_published:
            return None
        return event.view(EventState.END, score)


class _Open:
    """What is known of an event that hasn't ended."""

    def __init__(self, event_id: int, onset_ns: int, threshold: float) -> None:
        self.id = event_id
        self.onset_ns = onset_ns
        self.end_ns = onset_ns
        self.is_published = False
        self.hops = 0
        self.transient_hops = 0
        self._threshold = threshold
        self._peak_ns = onset_ns
        self._peak_score = -math.inf
        self._p_value = 1.0
        self._contributions: Floats = np.empty(0)

    def alarm(self, first_ns: int, last_ns: int, score: Score, contributions: Floats) -> None:
        self.end_ns = last_ns
        if score.value > self._peak_score:
            self._peak_ns = first_ns
            self._peak_score = score.value
            self._p_value = score.p_value
            self._contributions = contributions

    def view(self, state: EventState, score: float) -> Event:
        return Event(
            id=self.id,
            state=state,
            severity=severity(self._peak_score, self._threshold),
            onset_ns=self.onset_ns,
            peak_ns=self._peak_ns,
            end_ns=self.end_ns,
            score=score,
            peak_score=self._peak_score,
            threshold=self._threshold,
            p_value=self._p_value,
            contributions=self._contributions,
            fp16_share=self.transient_hops / self.hops,
        )


def severity(peak_score: float, threshold: float) -> Severity:
    """How far, in decades, a peak lies beyond its threshold."""
    excess = peak_score - threshold
    if excess < 1.0:
        return Severity.MINOR
    return Severity.MAJOR if excess < 2.0 else Severity.CRITICAL
