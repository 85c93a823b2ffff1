"""From messages to rows: field readers, stamps and the grid, with a count of all that is lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from taolora_ros.config import IngestConfig, StampSource
from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.channels import Channel, parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.grid import Grid
from taolora_ros.ingest.stamps import StampChooser
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import NS_PER_S, Gap, RawMessage, Row

_log = logging.getLogger(__name__)
_NOT_STARTED = -1


@dataclass(frozen=True, slots=True)
class IntakeCounts:
    """What became of all messages since the start or the last reset."""

    received: int = 0  # messages of watched topics
    unreadable: int = 0  # bytes that are no message of their type, or a type without the fields
    type_changes: int = 0  # messages whose type differs from the one before on the topic
    late: int = 0  # came after their cell had closed and moved to an open one
    dropped: int = 0  # late, and older than the values their channels had already
    repeated: int = 0  # same stamp and values as the one before
    stray: int = 0  # a single stamp far ahead of all others
    non_finite: int = 0  # values that are NaN, infinite, too large or missing
    zero_stamps: int = 0
    skewed_stamps: int = 0  # header farther from receipt than is believed
    rows: int = 0
    gaps: int = 0
    restarts: int = 0  # time jumped back


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How one channel is doing."""

    channel: str
    rate_hz: float  # of its topic's stamps; 0 while unknown
    age_s: float  # since its topic's last message; infinite before the first
    is_stale: bool
    non_finite_share: float  # of its samples, 0 to 1
    stamp_source: StampSource
    stamp_reason: str
    problem: str = ''  # why its messages can't be read


@dataclass(slots=True)
class _Topic:
    """What is known of one watched topic."""

    name: str
    channels: tuple[Channel, ...]
    columns: tuple[int, ...]
    stamps: StampChooser
    type_name: str = ''
    reader: FieldReader | None = None
    received: int = 0
    read: int = 0
    last_receive_ns: int | None = None
    problem: str = ''


@dataclass(slots=True)
class _Tally:
    received: int = 0
    unreadable: int = 0
    type_changes: int = 0
    reported: set[str] = field(default_factory=set)


class Intake:
    """Turns messages as they come into rows of all channels.

    Nothing that a message holds makes `push` raise: what can't be used is counted, and logged
    once a topic.

    Args:
        channels: concrete channels, in the order of a row's columns.
        config: rate, stamps, patience.
        registry: finds message types.

    Raises:
        ChannelError: a channel is malformed, listed twice, or still to be expanded.
    """

    def __init__(
        self, channels: Sequence[str | Channel], config: IngestConfig, registry: TypeRegistry
    ) -> None:
        parsed = tuple(parse_channel(channel) for channel in channels)
        if not parsed:
            raise ChannelError('no channels: name at least one, e.g. /imu/data:angular_velocity.z')
        for position, channel in enumerate(parsed):
            if channel in parsed[:position]:
                raise ChannelError(f'{channel}: listed twice')
            if not channel.is_concrete:
                raise ChannelError(f'{channel}: [*] has to be expanded against a bag first')
        self.channels = tuple(map(str, parsed))
        self.topics = tuple(dict.fromkeys(channel.topic for channel in parsed))
        self._parsed, self._config, self._registry = parsed, config, registry
        columns = [
            [n for n, channel in enumerate(parsed) if channel.topic == topic]
            for topic in self.topics
        ]
        self._grid = Grid(columns, config)
        self._columns = columns
        self._begin()

    def push(self, message: RawMessage) -> list[Row | Gap]:
        """Take one message; return the rows, and gaps between them, that it completes."""
        index = self._index.get(message.topic)
        if index is None:
            return []
        topic = self._topics[index]
        self._tally.received += 1
        topic.received += 1
        topic.last_receive_ns = message.receive_ns
        if message.type_name != topic.type_name:
            self._adopt_type(topic, message.type_name)
        if topic.reader is None:
            self._tally.unreadable += 1
            return []
        try:
            header_ns, values = topic.reader.read(message.data)
        except MessageError as error:
            self._tally.unreadable += 1
            self._report(f'{topic.name}: a message is skipped: {error}', key=topic.name)
            return []
        topic.read += 1
        stamp_ns = topic.stamps.date(header_ns, message.receive_ns)
        rows = self._grid.push(index, stamp_ns, values)
        if not rows and self._silent_since_ns is not None:
            self._report_silent(stamp_ns)
        return rows

    def flush(self) -> list[Row | Gap]:
        """The rows still open at the end of a recording."""
        return self._grid.flush()

    def reset(self) -> None:
        """Forget everything, counts included."""
        self._grid.reset()
        self._begin()

    @property
    def counts(self) -> IntakeCounts:
        """What became of all messages so far."""
        grid = self._grid.counts
        return IntakeCounts(
            received=self._tally.received,
            unreadable=self._tally.unreadable,
            type_changes=self._tally.type_changes,
            late=grid.late,
            dropped=grid.dropped,
            repeated=grid.repeated,
            stray=grid.stray,
            non_finite=grid.non_finite,
            zero_stamps=sum(topic.stamps.zero for topic in self._topics),
            skewed_stamps=sum(topic.stamps.skewed for topic in self._topics),
            rows=grid.rows,
            gaps=grid.gaps,
            restarts=grid.restarts,
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """Channels that have had no value yet; until they have, there are no rows."""
        return tuple(self.channels[column] for column in self._grid.silent)

    def channel_status(self, now_ns: int) -> tuple[ChannelStatus, ...]:
        """How each channel is doing at a time of the clock that dates receipt."""
        statuses: dict[int, ChannelStatus] = {}
        for index, topic in enumerate(self._topics):
            last, rate_hz = topic.last_receive_ns, self._grid.rate_hz(index)
            age_s = float('inf') if last is None else (now_ns - last) / NS_PER_S
            for column in topic.columns:
                refused = int(self._grid.non_finite[column])
                statuses[column] = ChannelStatus(
                    channel=self.channels[column],
                    rate_hz=rate_hz,
                    age_s=age_s,
                    is_stale=age_s > self._config.stale_s,
                    non_finite_share=refused / topic.read if topic.read else 0.0,
                    stamp_source=topic.stamps.source,
                    stamp_reason=topic.stamps.reason,
                    problem=topic.problem,
                )
        return tuple(statuses[column] for column in range(len(self.channels)))

    def _begin(self) -> None:
        skew_ns = round(self._config.max_clock_skew_s * NS_PER_S)
        self._tally = _Tally()
        self._silent_since_ns: int | None = _NOT_STARTED  # None once all speak or it is reported
        self._topics = [
            _Topic(
                name=topic,
                channels=tuple(self._parsed[column] for column in columns),
                columns=tuple(columns),
                stamps=StampChooser(self._config.stamps, skew_ns),
            )
            for topic, columns in zip(self.topics, self._columns, strict=True)
        ]
        self._index = {topic: index for index, topic in enumerate(self.topics)}

    def _adopt_type(self, topic: _Topic, type_name: str) -> None:
        if topic.type_name:
            self._tally.type_changes += 1
            self._report(
                f'{topic.name}: type changed from {topic.type_name} to {type_name}',
                key=f'{topic.name} {type_name}',
            )
        topic.type_name, topic.problem = type_name, ''
        try:
            topic.reader = FieldReader(type_name, topic.channels, self._registry)
        except ChannelError as error:
            topic.reader, topic.problem = None, str(error)
            self._report(
                f'{topic.name}: messages are skipped: {error}', key=f'{topic.name} {type_name}?'
            )

    def _report(self, text: str, *, key: str) -> None:
        if key not in self._tally.reported:
            self._tally.reported.add(key)
            _log.warning(text)

    def _report_silent(self, stamp_ns: int) -> None:
        """Say, once, which channels keep the first row from coming."""
        silent = self.silent
        if not silent:
            self._silent_since_ns = None
        elif self._silent_since_ns == _NOT_STARTED:
            self._silent_since_ns = stamp_ns
        elif stamp_ns - (self._silent_since_ns or 0) > self._config.stale_s * NS_PER_S:
            self._silent_since_ns = None
            _log.warning('no rows yet: waiting for a first value of %s', ', '.join(silent[:6]))
