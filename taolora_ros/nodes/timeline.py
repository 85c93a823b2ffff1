"""When recorded messages are due: the recording's own pace, or a multiple of it."""

from __future__ import annotations


class Timeline:
    """Maps stamps of a recording to a monotonic clock."""

    def __init__(self, rate: float) -> None:
        """Make a timeline that begins with its first message.

        Args:
            rate: times faster than recorded, above 0.
        """
        self._rate = rate
        self._origin: tuple[int, int] | None = None

    def wait_ns(self, stamp_ns: int, now_ns: int) -> int:
        """Time until a message is due; 0 or less when it is. The first one is due at once.

        Args:
            stamp_ns: when it was recorded.
            now_ns: the monotonic clock.
        """
        if self._origin is None:
            self._origin = stamp_ns, now_ns
        first_ns, start_ns = self._origin
        return start_ns + round((stamp_ns - first_ns) / self._rate) - now_ns

    def restart(self) -> None:
        """Begin anew with the next message."""
        self._origin = None
