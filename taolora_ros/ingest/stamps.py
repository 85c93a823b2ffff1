"""Which clock dates the messages of a topic: its header's where that is sane, else receipt."""

from __future__ import annotations

from taolora_ros.config import StampSource

_LIMIT = 3.0  # bad stamps, less the good ones' credit, that turn a topic to receipt for good
_CREDIT = 0.05  # what a good stamp takes off: more than one bad in twenty adds up


class StampChooser:
    """Dates the messages of one topic and remembers why.

    A single bad stamp is replaced by the time of receipt; when bad stamps add up, the topic is
    dated by receipt from then on, so that its dates don't flap between two clocks.

    Args:
        policy: what the user asked for.
        max_skew_ns: a header farther than this from receipt is not believed.
    """

    def __init__(self, policy: StampSource, max_skew_ns: int) -> None:
        self._policy, self._max_skew_ns = policy, max_skew_ns
        self.source = StampSource.RECEIPT if policy is StampSource.RECEIPT else StampSource.HEADER
        self.reason = 'as configured' if policy is not StampSource.AUTO else 'header clock is sane'
        self.zero = 0  # headers with stamp 0
        self.skewed = 0  # headers too far from receipt
        self.skew_ns = 0  # of the last header, header minus receipt
        self._debt = 0.0

    def date(self, header_ns: int | None, receive_ns: int) -> int:
        """The stamp in ns by which a message enters the grid."""
        if header_ns is None:
            if self.source is StampSource.HEADER:
                self.source, self.reason = StampSource.RECEIPT, 'no header'
            return receive_ns
        if header_ns > 0:
            self.skew_ns = header_ns - receive_ns
        if self._is_sane(header_ns, receive_ns):
            self._debt = max(0.0, self._debt - _CREDIT)
            return header_ns if self.source is StampSource.HEADER else receive_ns
        self._debt += 1.0
        if self._debt >= _LIMIT and self.source is StampSource.HEADER:
            self.source = StampSource.RECEIPT
            self.reason = (
                'header stamps are 0'
                if header_ns <= 0
                else f'header clock is {self.skew_ns / 1e9:+.0f} s off receipt'
            )
        return receive_ns

    def _is_sane(self, header_ns: int, receive_ns: int) -> bool:
        if header_ns <= 0:
            self.zero += 1
            return False
        if receive_ns <= 0:  # simulated time has not begun: nothing to compare with
            return True
        if abs(header_ns - receive_ns) > self._max_skew_ns:
            self.skewed += 1
            return self._policy is StampSource.HEADER
        return True
