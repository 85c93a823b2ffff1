"""When to drain the subscriptions: as the next hop is due, instead of again and again.

Each time that rclpy wakes costs it more than a hop takes to score. Hops come evenly, so the next
one is complete a hop after the arrival of the message that completed the last. The node wakes a
little earlier, reads what has come by then, and waits for the last message without going back to
rclpy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.timer import Timer

from taolora_ros.samples import NS_PER_S

LONGEST_S = 0.1  # between two drains
_LONGEST_NS = round(LONGEST_S * NS_PER_S)
_EARLY_NS = 2_000_000  # before a hop is due: to wake in, and to read what has come
_LATE_NS = 2_000_000  # how long a hop that has not come is waited for in place
_LEAST_NS = 100_000  # between two drains meanwhile
_DUTY = 3  # times as long as a drain takes, to the next one meanwhile
_AGAIN_NS = 1_000_000  # between two drains for a hop that is later still
_TRIES = 8  # of these; then it is polled for
_FILLED = 0.25  # of a queue, by the next drain


@dataclass(frozen=True, slots=True)
class Batch:
    """What a drain brought."""

    hop_ns: int  # span of a hop
    completed_ns: int | None  # arrival, on the system's clock, of what completed the last hop
    most: int  # messages of the topic that sent most


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait until the next drain."""

    ns: int
    is_in_place: bool = False  # whether that is too short to serve anything else


class HopSchedule:
    """Foresees hops from those before.

    Args:
        poll_s: time between two drains where nothing can be foreseen: before the first hop, once
            a hop stays out, and where hops follow each other faster than that.
        queue: messages of one topic that may wait.
    """

    def __init__(self, *, poll_s: float, queue: int) -> None:
        self._poll_ns = round(poll_s * NS_PER_S)
        self._queue = queue
        self._due_ns: int | None = None
        self._tries = 0
        self._since_ns: int | None = None  # of the last hop's drain
        self._heard = 0  # since then, of the topic that sent most

    def wait(self, batch: Batch, began_ns: int, now_ns: int) -> Wait:
        """When to drain next.

        Args:
            batch: of the drain that has just ended.
            began_ns: when that drain began, on the system's clock.
            now_ns: the system's clock.
        """
        longest_ns = self._longest_ns(batch, now_ns)
        if batch.completed_ns is not None:
            hops = max(0, now_ns - batch.completed_ns) // batch.hop_ns + 1
            self._due_ns = batch.completed_ns + hops * batch.hop_ns
            self._tries = 0
        if self._due_ns is None or batch.hop_ns <= self._poll_ns:
            return Wait(self._poll_ns)
        left_ns = self._due_ns - now_ns
        if left_ns > 2 * _EARLY_NS:
            shortest_ns = min(_AGAIN_NS, self._poll_ns)
            return Wait(max(min(left_ns - _EARLY_NS, longest_ns), shortest_ns))
        if left_ns > 0:
            return Wait(max(min(left_ns, longest_ns), _LEAST_NS), is_in_place=True)
        if left_ns > -_LATE_NS:
            rest_ns = min(_DUTY * (now_ns - began_ns), _LATE_NS)
            return Wait(max(rest_ns, _LEAST_NS), is_in_place=True)
        self._tries += 1
        return Wait(_AGAIN_NS if self._tries <= _TRIES else self._poll_ns)

    def _longest_ns(self, batch: Batch, now_ns: int) -> int:
        """Until a queue is filled too far, at the rate since the last hop."""
        span_ns = now_ns - self._since_ns if self._since_ns is not None else 0
        heard = self._heard = self._heard + batch.most
        if self._since_ns is None or batch.completed_ns is not None:
            self._since_ns, self._heard = now_ns, 0
        if not heard or span_ns <= 0:
            return _LONGEST_NS
        return min(_LONGEST_NS, round(_FILLED * self._queue / heard * span_ns))

    def keep_up(self, drain: Callable[[], Batch]) -> int:
        """Drain, and again until the next hop is further off.

        Args:
            drain: takes what has arrived.

        Returns:
            How long to wait until the next time, in ns.
        """
        while True:
            began_ns = time.time_ns()
            wait = self.wait(drain(), began_ns, time.time_ns())
            if not wait.is_in_place:
                return wait.ns
            time.sleep(wait.ns / NS_PER_S)


def again(timer: Timer, wait_ns: int) -> None:
    """Let a timer call back once that time has passed from now on."""
    timer.timer_period_ns = wait_ns
    timer.reset()
