"""How often a topic speaks, learned from its stamps: when its next sample may be expected."""

from __future__ import annotations

from collections import deque

from taolora_ros.samples import NS_PER_S

_REMEMBERED = 16  # intervals
_REFRESH = 4  # messages between two looks at them


class Cadence:
    """The newest stamp of one topic and the intervals that led to it.

    Args:
        lateness_ns: how long a cell may wait for the topic.
        stale_ns: how long a topic of unknown rate is waited for.
    """

    def __init__(self, lateness_ns: int, stale_ns: int) -> None:
        self._lateness_ns, self._stale_ns = lateness_ns, stale_ns
        self._intervals: deque[int] = deque(maxlen=_REMEMBERED)
        self._since_refresh = 0
        self.last_ns: int | None = None
        self.period_ns = 0  # median interval; 0 while unknown
        self._soonest_ns = 0

    @property
    def rate_hz(self) -> float:
        """Stamps a second over the remembered intervals; 0 while unknown."""
        total = sum(self._intervals)
        return len(self._intervals) * NS_PER_S / total if total else 0.0

    def observe(self, stamp_ns: int) -> None:
        """Learn from the topic's next stamp; one that does not move forward says nothing."""
        last = self.last_ns
        if last is None:
            self.last_ns = stamp_ns
        elif stamp_ns > last:
            self.last_ns = stamp_ns
            self._intervals.append(stamp_ns - last)
            self._since_refresh += 1
            if self._since_refresh >= _REFRESH or len(self._intervals) < _REFRESH:
                self._refresh()

    def restart(self) -> None:
        """Forget the newest stamp, not the rate: time jumped."""
        self.last_ns = None

    def expects(self, end_ns: int) -> bool:
        """Whether a sample stamped before `end_ns` may still come."""
        last = self.last_ns
        if last is None:
            return False
        if last >= end_ns:
            return False
        if not self.period_ns:
            return end_ns - last < self._stale_ns
        if end_ns - last > 3 * self.period_ns + self._lateness_ns:
            return False  # it fell silent
        return last + self._soonest_ns < end_ns

    def _refresh(self) -> None:
        self._since_refresh = 0
        ordered = sorted(self._intervals)
        self.period_ns = ordered[len(ordered) // 2]
        self._soonest_ns = max(0, 2 * ordered[0] - self.period_ns)
