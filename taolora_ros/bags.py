"""Rosbag2 recordings: reading messages, rows and series, and writing new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

from taolora_ros.config import IngestConfig
from taolora_ros.errors import BagError, ChannelError, MessageError, nearest
from taolora_ros.ingest.channels import Channel, parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.intake import Intake
from taolora_ros.ingest.schema import expand
from taolora_ros.ingest.stamps import StampChooser
from taolora_ros.ingest.storage import bag_types, read_messages, topics
from taolora_ros.ingest.survey import BagSummary, describe
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import NS_PER_S, Floats, Gap, Ints, RawMessage, Recording, Row

__all__ = [
    'BagSummary',
    'BagWriter',
    'bag_types',
    'describe',
    'read_messages',
    'read_recording',
    'read_series',
    'resolve_channels',
    'time_of',
    'topics',
]


def resolve_channels(path: Path | str, specs: Sequence[str | Channel]) -> tuple[str, ...]:
    """The concrete channels that specs stand for in a bag, `[*]` expanded, in their order.

    Raises:
        BagError: see `ingest.storage.open_bag`.
        ChannelError: a spec names no topic, field or element; says which are close.
    """
    channels = [parse_channel(spec) for spec in specs]
    known = topics(path)
    for channel in channels:
        if channel.topic not in known:
            raise ChannelError(
                f'{channel}: no topic {channel.topic!r} in {path}; {nearest(channel.topic, known)}'
            )
    registry = bag_types(path)
    firsts = {
        topic: next(read_messages(path, [topic]), None)
        for topic in {channel.topic for channel in channels}
    }
    resolved: list[str] = []
    for channel in channels:
        first = firsts[channel.topic]
        if first is None:
            raise ChannelError(f'{channel}: {path} holds no message of {channel.topic}')
        try:
            concrete = expand(channel, first.type_name, first.data, registry)
        except MessageError as error:
            raise ChannelError(f'{channel}: first message cannot be read: {error}') from error
        resolved += map(str, concrete)
    return tuple(dict.fromkeys(resolved))


def read_recording(
    path: Path | str, channels: Sequence[str | Channel], config: IngestConfig
) -> Recording:
    """A whole bag on the grid.

    Args:
        path: the recording.
        channels: specs; expanded against the bag.
        config: how messages become rows.

    Raises:
        BagError: see `ingest.storage.open_bag`; also where no row comes out, saying why.
        ChannelError: a spec names no topic, field or element.
    """
    concrete = resolve_channels(path, channels)
    intake = Intake(concrete, config, bag_types(path))
    stamps: list[int] = []
    values: list[Floats] = []
    peaks: list[Floats] = []
    starts = [0]

    def collect(items: Sequence[Row | Gap]) -> None:
        for item in items:
            if isinstance(item, Gap):
                starts.append(len(stamps))
            else:
                stamps.append(item.stamp_ns)
                values.append(item.values)
                peaks.append(item.peaks)

    for message in read_messages(path, intake.topics):
        collect(intake.push(message))
    collect(intake.flush())
    if not stamps:
        raise BagError(f'{path}: no row comes out: {_why_no_rows(intake)}')
    return Recording(
        name=Path(path).name,
        stamps_ns=np.array(stamps, dtype=np.int64),
        values=np.array(values),
        peaks=np.array(peaks),
        starts=tuple(starts),
    )


def read_series(
    path: Path | str, spec: str | Channel, config: IngestConfig | None = None
) -> tuple[Ints, Floats]:
    """One channel as it was recorded, not on the grid: stamps [T] in ns and values [T].

    Raises:
        BagError, ChannelError: see `resolve_channels`.
    """
    config = config or IngestConfig()
    (name, *more) = resolve_channels(path, [spec])
    if more:
        raise ChannelError(f'{spec}: stands for {len(more) + 1} channels; choose one, e.g. {name}')
    channel, registry = parse_channel(name), bag_types(path)
    clock = StampChooser(config.stamps, round(config.max_clock_skew_s * NS_PER_S))
    readers: dict[str, FieldReader] = {}
    stamps, values = [], []
    for message in read_messages(path, [channel.topic]):
        reader = readers.get(message.type_name)
        if reader is None:
            reader = FieldReader(message.type_name, [channel], registry)
            readers[message.type_name] = reader
        try:
            header_ns, (value,) = reader.read(message.data)
        except MessageError:
            continue
        stamps.append(clock.date(header_ns, message.receive_ns))
        values.append(value)
    return np.array(stamps, dtype=np.int64), np.array(values, dtype=np.float64)


class BagWriter:
    """Writes a rosbag2 recording (mcap with metadata.yaml and message definitions).

    `ros2 bag play` plays it. Use it as a context manager; an exception inside leaves an unfinished
    folder behind, as an interrupted `ros2 bag record` does.

    Args:
        path: folder to create.
        registry: finds message types; the standard and installed ones where None.

    Raises:
        BagError: the path exists already or can't be created.
    """

    def __init__(self, path: Path | str, registry: TypeRegistry | None = None) -> None:
        self.path = Path(path)
        self.registry = registry or TypeRegistry()
        self._connections: dict[tuple[str, str], Connection] = {}
        try:
            self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
        except WriterError as error:
            raise BagError(
                f'{self.path}: exists already; remove it or choose another name'
            ) from error

    def __enter__(self) -> BagWriter:
        try:
            self._writer.open()
        except (WriterError, OSError) as error:
            raise BagError(f'{self.path}: cannot be created: {error}') from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._writer.close()
        else:
            self._writer.abort()

    def write(
        self, topic: str, type_name: str, values: Mapping[str, Any], receive_ns: int
    ) -> None:
        """Append a message given by its fields; those not named are zero or empty.

        Args:
            topic: where it was published.
            type_name: e.g. 'sensor_msgs/msg/Imu'.
            values: by field name, nested; a stamp as {'sec': …, 'nanosec': …} or `time_of(ns)`.
            receive_ns: when it was received.

        Raises:
            ChannelError: the type is unknown or lacks a field.
        """
        message = self.registry.make(type_name, values)
        data = self.registry.serialize(message, type_name)
        self.write_raw(RawMessage(topic, type_name, data, receive_ns))

    def write_raw(self, message: RawMessage) -> None:
        """Append a message as it is."""
        key = (message.topic, message.type_name)
        connection = self._connections.get(key)
        if connection is None:
            text, digest = self.registry.definition_text(message.type_name)
            connection = self._writer.add_connection(*key, msgdef=text, rihs01=digest)
            self._connections[key] = connection
        self._writer.write(connection, message.receive_ns, message.data)


def time_of(stamp_ns: int) -> dict[str, int]:
    """A stamp as the fields of builtin_interfaces/Time."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return {'sec': sec, 'nanosec': nanosec}


def _why_no_rows(intake: Intake) -> str:
    counts = intake.counts
    if not counts.received:
        return 'it holds no message of the watched topics'
    if counts.unreadable == counts.received:
        return f'none of {counts.received} messages can be read'
    silent = ', '.join(intake.silent[:4])
    return f'never a finite value of {silent}; leave such channels out'
