"""When to drain the subscriptions: as the next hop is due, instead of again and again.

Each time that rclpy wakes costs it more than a hop takes to score. Hops come evenly, so the next
one is complete a hop after the arrival of the message that completed the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.timer import Timer

from taolora_ros.samples import NS_PER_S

LONGEST_S = 0.1  # between two drains
_LONGEST_NS = round(LONGEST_S * NS_PER_S)
_AIM_NS = 250_000  # after the hop is due: what its last message may be late
_AGAIN_NS = 1_000_000  # after a hop that has not come
_TRIES = 10  # so soon; then it is polled for
_FILLED = 0.25  # of a queue, by the next drain


@dataclass(frozen=True, slots=True)
class Batch:
    """What a drain brought."""

    hop_ns: int  # span of a hop
    completed_ns: int | None  # arrival, on the system's clock, of what completed the last hop
    most: int  # messages of the topic that sent most


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

    def wait_ns(self, batch: Batch, now_ns: int) -> int:
        """How long to wait until the next drain.

        Args:
            batch: of the drain that has just ended.
            now_ns: the system's clock.
        """
        longest_ns = self._longest_ns(batch, now_ns)
        if batch.completed_ns is not None:
            hops = max(0, now_ns - batch.completed_ns) // batch.hop_ns + 1
            self._due_ns = batch.completed_ns + hops * batch.hop_ns + _AIM_NS
            self._tries = 0
        if self._due_ns is None or batch.hop_ns <= self._poll_ns:
            return self._poll_ns
        wait_ns = self._due_ns - now_ns
        if wait_ns <= 0:
            wait_ns = _AGAIN_NS if self._tries < _TRIES else self._poll_ns
            self._tries += 1
        return max(min(wait_ns, longest_ns), min(_AGAIN_NS, self._poll_ns))

    def _longest_ns(self, batch: Batch, now_ns: int) -> int:
        """Until a queue is filled too far, at the rate since the last hop."""
        span_ns = now_ns - self._since_ns if self._since_ns is not None else 0
        heard = self._heard = self._heard + batch.most
        if self._since_ns is None or batch.completed_ns is not None:
            self._since_ns, self._heard = now_ns, 0
        if not heard or span_ns <= 0:
            return _LONGEST_NS
        return min(_LONGEST_NS, round(_FILLED * self._queue / heard * span_ns))


def again(timer: Timer, wait_ns: int) -> None:
    """Let a timer call back once that time has passed from now on."""
    timer.timer_period_ns = wait_ns
    timer.reset()
