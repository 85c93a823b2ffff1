"""Field readers: from a message, as CDR bytes or as an object, to the numbers of its channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.cdr import Plan, body_of, compile_plan
from taolora_ros.ingest.channels import Channel
from taolora_ros.ingest.locations import Element, ElementPicker, Located, locate, slot_of
from taolora_ros.ingest.objects import object_reader
from taolora_ros.ingest.points import is_point_field
from taolora_ros.ingest.schema import check_channel, names_path, stamp_path
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.ingest.wire import Collected
from taolora_ros.samples import NS_PER_S

Numbers: TypeAlias = tuple[float, ...]


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
        stamp = tuple(slot_of(plan.fields, (*self._stamp_path, part)) for part in parts)
        located = [
            locate(channel, plan.fields, names)
            for channel, names in zip(self.channels, lists, strict=True)
        ]
        return _Compiled(plan, stamp, located)


class _Compiled:
    """A plan, with where each channel's number lies in what it collects."""

    def __init__(self, plan: Plan, stamp: tuple[int, ...], channels: Sequence[Located]) -> None:
        self._plan, self._stamp = plan, stamp
        picked: dict[tuple[int, int], list[tuple[int, int | str]]] = {}
        self._slots = [located if isinstance(located, int) else 0 for located in channels]
        self._extras: list[Callable[[Collected], Sequence[float]]] = []
        end = plan.slots  # what is computed from the collected is put behind it
        for column, located in enumerate(channels):
            if isinstance(located, Element):
                key = (located.slot, located.names_slot)
                picked.setdefault(key, []).append((column, located.index))
            elif not isinstance(located, int):
                self._slots[column], end = end, end + 1
                self._extras.append(located)
        for (slot, names_slot), elements in picked.items():
            self._extras.append(ElementPicker(slot, names_slot, [index for _, index in elements]))
            for column, _ in elements:
                self._slots[column], end = end, end + 1

    def read(self, body: memoryview) -> tuple[int | None, Numbers]:
        out = self._plan.collect(body)
        for extra in self._extras:
            out += extra(out)
        stamp = None
        if self._stamp:
            sec, nanosec = self._stamp
            stamp = out[sec] * NS_PER_S + out[nanosec]
        return stamp, tuple([float(out[slot]) for slot in self._slots])
