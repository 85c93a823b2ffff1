"""How often a topic speaks, learned from its stamps: when its next sample may be expected."""

from __future__ import annotations

from collections import deque

from taolora_ros.samples import NS_PER_S

_REMEMBERED = 16  # intervals
_REFRESH = 4  # messages between two looks at them


class Cadence:
    """The newest stamp of one topic and the intervals that led to it.

    Args:
        grid_ns: period of the grid.
        lateness_ns: how long a cell may wait for the topic.
        stale_ns: how long a topic of unknown rate is waited for.
    """

    def __init__(self, grid_ns: int, lateness_ns: int, stale_ns: int) -> None:
        self._fast_ns = 2 * grid_ns
        self._lateness_ns, self._stale_ns = lateness_ns, stale_ns
        self._intervals: deque[int] = deque(maxlen=_REMEMBERED)
        self._since_refresh = 0
        self._earlier_ns: int | None = None  # newest stamp before time jumped
        self.last_ns: int | None = None
        self.period_ns = 0  # median interval; 0 while unknown
        self._soonest_ns = 0
        self._disorder_ns = 0

    @property
    def rate_hz(self) -> float:
        """Stamps a second over the remembered intervals; 0 while unknown."""
        total = sum(self._intervals)
        return len(self._intervals) * NS_PER_S / total if total else 0.0

    def observe(self, stamp_ns: int) -> None:
        """Learn from the topic's next stamp.

        One older than the newest tells how far the topic's stamps are out of order, as when two
        nodes publish on it.
        """
        if self.last_ns is not None and stamp_ns < self.last_ns:
            backward_ns = min(self.last_ns - stamp_ns, self._lateness_ns)
            self._disorder_ns = max(self._disorder_ns, backward_ns)
            return
        before = self.last_ns
        if before is None and len(self._intervals) < _REFRESH:
            before = self._earlier_ns  # so that a topic slower than any gap is known at all
        if self.last_ns is None or stamp_ns > self.last_ns:
            self.last_ns = stamp_ns
        if before is not None and stamp_ns > before:
            self._intervals.append(stamp_ns - before)
            self._since_refresh += 1
            if self._since_refresh >= _REFRESH or len(self._intervals) <= _REFRESH:
                self._refresh()

    def restart(self) -> None:
        """Forget the newest stamp, not the rate: time jumped."""
        self._earlier_ns, self.last_ns = self.last_ns, None
        self._disorder_ns = 0

    def expects(self, end_ns: int) -> bool:
        """Whether a sample stamped before `end_ns` may still come.

        A topic about as fast as the grid may have one until it has gone past; a slower one from
        when it is due, by the shortest of its last intervals less their spread.
        """
        last, until_ns = self.last_ns, end_ns + self._disorder_ns
        if last is None or last >= until_ns:
            return False
        if not self.period_ns:
            return end_ns - last < self._stale_ns
        if end_ns - last > 3 * self.period_ns + self._lateness_ns:
            return False  # it fell silent
        return last + self._soonest_ns < until_ns

    def _refresh(self) -> None:
        self._since_refresh = 0
        ordered = sorted(self._intervals)
        self.period_ns = ordered[len(ordered) // 2]
        is_known = len(ordered) >= _REFRESH and self.period_ns > self._fast_ns
        self._soonest_ns = max(0, 2 * ordered[0] - self.period_ns) if is_known else 0
