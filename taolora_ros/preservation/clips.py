"""Clips: the messages around an event as they were received, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from taolora_ros.samples import NS_PER_S, EventState, Hop, RawMessage

MESSAGE_BYTES = 160  # that a RawMessage takes beside its data, in CPython 3.11
_BACK_NS = NS_PER_S // 2  # receipt that falls back farther than this is a clock that jumped
_REMEMBERED = 16  # events whose clips are known by name


@dataclass(frozen=True, kw_only=True)
class ClipLimits:
    """How much is kept."""

    pre_ns: int  # before the onset
    post_ns: int  # after the end
    delay_ns: int  # by which a row may come later than its last message
    lead_ns: int  # that may pass between an onset and word of it, the delay included
    cooldown_ns: int  # after a clip, in which no new one begins
    max_bytes: int  # of the messages before an event, and of those of a clip, each


@dataclass(frozen=True, eq=False)
class Clip:
    """Messages in order of receipt."""

    name: str  # made of the time and the first event's number, e.g. '20261125T093000.250_event3'
    messages: tuple[RawMessage, ...]
    left_out: int  # messages that the memory limit cut off its end


class ClipRecorder:
    """Remembers the last messages, and keeps those around events.

    An event that begins before the clip of the one before is complete joins it.
    """

    def __init__(self, limits: ClipLimits, *, now: Callable[[], float]) -> None:
        """Make ready for a stream.

        Args:
            limits: how much is kept.
            now: the time of day in s since the epoch, for names.
        """
        self._limits = limits
        self._now = now
        self._recent: deque[RawMessage] = deque()
        self._recent_bytes = 0
        self._newest_ns = 0
        self._kept: list[RawMessage] | None = None  # of the clip that is being recorded
        self._kept_bytes = self._left_out = 0
        self._name = ''
        self._until_ns: int | None = None  # receipt that completes the clip; None while an event
        self._rest_ns = 0  # receipt before which no clip begins
        self._last_id = 0
        self._names: dict[int, str] = {}
        self._done: list[Clip] = []
        self.skipped = 0  # events without a clip, because they came within the cooldown

    def hear(self, message: RawMessage) -> None:
        """Take one message, in order of receipt."""
        receive_ns = message.receive_ns
        if receive_ns < self._newest_ns - _BACK_NS:
            self.finish()
            self._rest_ns = 0
        self._newest_ns = receive_ns
        recent, limits = self._recent, self._limits
        size = len(message.data) + MESSAGE_BYTES
        recent.append(message)
        self._recent_bytes += size
        oldest_ns = receive_ns - limits.pre_ns - limits.lead_ns
        while recent[0].receive_ns < oldest_ns or (
            self._recent_bytes > limits.max_bytes and len(recent) > 1
        ):
            self._recent_bytes -= len(recent.popleft().data) + MESSAGE_BYTES
        if self._kept is None:
            return
        if self._until_ns is not None and receive_ns > self._until_ns:
            self._complete()
        elif self._kept_bytes + size <= limits.max_bytes:
            self._kept.append(message)
            self._kept_bytes += size
        else:
            self._left_out += 1

    def follow(self, hop: Hop) -> None:
        """Take a hop that the messages so far have brought about."""
        event = hop.event
        if event is None:
            return
        behind_ns = self._newest_ns - hop.last_ns  # of the data's clock behind receipt
        if event.id > self._last_id:
            self._last_id = event.id
            if self._kept is None and self._newest_ns < self._rest_ns:
                self.skipped += 1
                return
            if self._kept is None:
                self._begin(event.onset_ns + behind_ns, event.id)
            self._until_ns = None
            self._names[event.id] = self._name
            if len(self._names) > _REMEMBERED:
                del self._names[next(iter(self._names))]
        if event.state is EventState.END and self._kept is not None:
            self._until_ns = event.end_ns + behind_ns + self._limits.post_ns
            if self._newest_ns >= self._until_ns:
                self._complete()

    def name_of(self, event_id: int) -> str:
        """The clip that an event is in; empty where it has none."""
        return self._names.get(event_id, '')

    def take(self) -> list[Clip]:
        """Clips that were completed since the last call."""
        done, self._done = self._done, []
        return done

    def current(self) -> Clip:
        """What is remembered now, whatever happened."""
        return Clip(f'{self._stamp()}_asked', tuple(self._recent), 0)

    def finish(self) -> None:
        """End the stream: complete the open clip as it is, and forget the last messages."""
        if self._kept is not None:
            self._complete()
        self._recent.clear()
        self._recent_bytes = self._newest_ns = 0

    def _begin(self, onset_ns: int, event_id: int) -> None:
        """Start a clip at what is remembered of the time before an onset, by receipt."""
        # A row waits for late topics, so its messages came somewhat earlier than it tells.
        start_ns = onset_ns - self._limits.pre_ns - self._limits.delay_ns
        self._kept = [message for message in self._recent if message.receive_ns >= start_ns]
        self._kept_bytes = sum(len(message.data) + MESSAGE_BYTES for message in self._kept)
        self._left_out = 0
        self._name = f'{self._stamp()}_event{event_id}'

    def _complete(self) -> None:
        messages, until_ns = self._kept or [], self._until_ns
        if until_ns is not None:
            messages = [message for message in messages if message.receive_ns <= until_ns]
        self._done.append(Clip(self._name, tuple(messages), self._left_out))
        self._rest_ns = self._newest_ns + self._limits.cooldown_ns
        self._kept = self._until_ns = None

    def _stamp(self) -> str:
        moment = datetime.fromtimestamp(self._now(), timezone.utc)
        return f'{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}'
