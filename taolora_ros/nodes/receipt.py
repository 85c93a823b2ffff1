"""When a message was received, on the node's clock.

Messages are drained in batches, so the node's clock tells at best when a batch was drained. The
middleware notes when each message arrived, on the system's clock; under simulated time that is
looked up among the arrivals of `/clock`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque


class SimulatedReceipt:
    """Arrival times on the system's clock to simulated time."""

    def __init__(self) -> None:
        self._arrivals_ns: deque[int] = deque()
        self._times_ns: deque[int] = deque()

    def add(self, arrival_ns: int, time_ns: int) -> None:
        """Take one `/clock` message, in order of arrival."""
        self._arrivals_ns.append(arrival_ns)
        self._times_ns.append(time_ns)

    def at(self, arrival_ns: int) -> int | None:
        """Simulated time when something arrived; None before the first `/clock`."""
        index = bisect_right(self._arrivals_ns, arrival_ns)
        return self._times_ns[index - 1] if index else None

    def forget(self, arrival_ns: int) -> None:
        """Drop what no arrival from then on can need."""
        while len(self._arrivals_ns) > 1 and self._arrivals_ns[1] <= arrival_ns:
            self._arrivals_ns.popleft()
            self._times_ns.popleft()
