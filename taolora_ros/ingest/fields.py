"""Field readers: from a message, as CDR bytes or as an object, to the numbers of its channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.cdr import (
    Elements,
    Fixed,
    Places,
    Plan,
    Scalar,
    body_of,
    compile_plan,
)
from taolora_ros.ingest.channels import Channel, Step
from taolora_ros.ingest.objects import object_reader
from taolora_ros.ingest.points import is_point_field
from taolora_ros.ingest.schema import check_channel, names_path, stamp_path
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.ingest.wire import Collected
from taolora_ros.samples import NS_PER_S

Taker: TypeAlias = Callable[[Collected], float]
Numbers: TypeAlias = tuple[float, ...]

MISSING = float('nan')


class FieldReader:
    """Reads the channels of one message type; an element that a message lacks reads as NaN.

    Args:
        type_name: e.g. 'sensor_msgs/msg/Imu'.
        channels: concrete channels of one topic.
        registry: finds the type's fields.

    Raises:
        ChannelError: a channel names no number of the type; says which are close.
    """

    def __init__(
        self, type_name: str, channels: Sequence[Channel], registry: TypeRegistry
    ) -> None:
        self.type_name = type_name
        self.channels = tuple(channels)
        self._registry = registry
        for channel in self.channels:
            check_channel(channel, type_name, registry)
            if not channel.is_concrete:
                raise ChannelError(f'{channel}: [*] has to be expanded or reduced, e.g. |rms')
        self._of_points = [is_point_field(channel, type_name, registry) for channel in channels]
        self._stamp_path = stamp_path(type_name, registry)
        self._compiled: dict[str, _Compiled] = {}
        self._object_reader = object_reader(self.channels, self._stamp_path)

    def read(self, data: bytes | memoryview) -> tuple[int | None, Numbers]:
        """The header stamp in ns (None without a header) and one number a channel.

        Raises:
            MessageError: the bytes are no such message.
        """
        if any(self._of_points):
            return self.read_object(self._registry.deserialize(data, self.type_name))
        body, order = body_of(data)
        compiled = self._compiled.get(order)
        if compiled is None:
            compiled = self._compiled[order] = self._compile(order)
        return compiled.read(body)

    def read_object(self, message: Any) -> tuple[int | None, Numbers]:
        """The same from a message object of rclpy or rosbags.

        Raises:
            MessageError: the object lacks a field.
        """
        try:
            return self._object_reader(message)
        except (AttributeError, TypeError, ValueError) as error:
            raise MessageError(f'{self.type_name}: {error}') from error

    def _compile(self, order: str) -> _Compiled:
        want: dict[str, Any] = {}
        paths = [tuple(step.name for step in channel.path) for channel in self.channels]
        if self._stamp_path:
            paths += [(*self._stamp_path, part) for part in ('sec', 'nanosec')]
        lists = [names_path(channel, self.type_name, self._registry) for channel in self.channels]
        for path in (*paths, *filter(None, lists)):
            level = want
            for name in path[:-1]:
                level = level.setdefault(name, {})
            level.setdefault(path[-1], None)
        plan = compile_plan(self.type_name, want, self._registry, order)
        parts = ('sec', 'nanosec') if self._stamp_path else ()
        stamp = _slots(plan.fields, self._stamp_path, parts)
        takers = [
            _taker(channel, plan.fields, names)
            for channel, names in zip(self.channels, lists, strict=True)
        ]
        return _Compiled(plan, stamp, takers)


class _Compiled:
    """A plan with the takers that pick each channel's number from what it collected."""

    def __init__(self, plan: Plan, stamp: tuple[int, ...], takers: Sequence[Taker | int]) -> None:
        self._plan, self._stamp = plan, stamp
        self._slots = [taker for taker in takers if isinstance(taker, int)]
        self._all_slots = len(self._slots) == len(takers)
        self._takers = [_at(taker) if isinstance(taker, int) else taker for taker in takers]

    def read(self, body: memoryview) -> tuple[int | None, Numbers]:
        out = self._plan.collect(body)
        stamp = None
        if self._stamp:
            sec, nanosec = self._stamp
            stamp = out[sec] * NS_PER_S + out[nanosec]
        if self._all_slots:
            return stamp, tuple([float(out[slot]) for slot in self._slots])
        return stamp, tuple([float(taker(out)) for taker in self._takers])


def _slots(fields: Places, path: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    place: Any = fields
    for name in path:
        place = place[name]
    return tuple(place[name].slot for name in names)


def _at(slot: int) -> Taker:
    return lambda out: float(out[slot])


def _taker(channel: Channel, fields: Places, names: Sequence[str] | None) -> Taker | int:
    if channel.reduction is not None:
        reduction, gather = channel.reduction, _gather(fields, channel.path)
        return lambda out: reduction.over(np.array(gather(out), dtype=np.float64))
    lookup = _slots(fields, names[:-1], names[-1:]) if names else (-1,)
    return _number(fields, channel.path, lookup[0])


def _number(fields: Places, path: tuple[Step, ...], names_slot: int) -> Taker | int:
    step, rest = path[0], path[1:]
    place, index = fields[step.name], step.index
    if isinstance(place, dict):
        return _number(place, rest, names_slot)
    if isinstance(place, Scalar):
        return place.slot
    if isinstance(place, Fixed) and isinstance(index, int):
        return place.slot + index
    below = _number(place.fields, rest, names_slot) if isinstance(place, Elements) else None
    inner = _at(below) if isinstance(below, int) else below
    slot = place.slot
    count = place.count if isinstance(place, Fixed) else 0

    def take(out: Collected) -> float:
        elements = out[slot : slot + count] if count else out[slot]
        position = index if isinstance(index, int) else out[names_slot].get(index, -1)
        if not 0 <= position < len(elements):
            return MISSING
        return inner(elements[position]) if inner else elements[position]

    return take


def _gather(fields: Places, path: tuple[Step, ...]) -> Callable[[Collected], Any]:
    """All numbers that a path with open arrays reaches."""
    step, rest = path[0], path[1:]
    place = fields[step.name]
    if isinstance(place, dict):
        return _gather(place, rest)
    if isinstance(place, Scalar):
        slot = place.slot
        return lambda out: [out[slot]]
    if isinstance(place, Fixed):
        first, last = place.slot, place.slot + place.count
        if isinstance(step.index, int):
            first, last = first + step.index, first + step.index + 1
        return lambda out: out[first:last]
    index, slot = step.index, place.slot
    if isinstance(place, Elements):
        inner = _gather(place.fields, rest)

        def through(out: Collected) -> list[float]:
            elements = out[slot]
            chosen = elements[index : index + 1] if isinstance(index, int) else elements
            return [number for element in chosen for number in inner(element)]

        return through
    if isinstance(index, int):
        return lambda out: out[slot][index : index + 1]
    return lambda out: out[slot]
