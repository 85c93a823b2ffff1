"""Reading channels from message objects, of rclpy or rosbags, by their attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from taolora_ros.ingest.channels import EVERY, Channel, Step
from taolora_ros.ingest.points import point_values
from taolora_ros.ingest.schema import NAME_LISTS
from taolora_ros.samples import NS_PER_S

ObjectReader: TypeAlias = Callable[[Any], 'tuple[int | None, tuple[float, ...]]']


def object_reader(channels: Sequence[Channel], stamp_path: Sequence[str]) -> ObjectReader:
    """A function from a message object to its stamp in ns and one number a channel."""

    def read(message: Any) -> tuple[int | None, tuple[float, ...]]:
        stamp = None
        if stamp_path:
            time = message
            for name in stamp_path:
                time = getattr(time, name)
            stamp = time.sec * NS_PER_S + time.nanosec
        return stamp, tuple([_value(message, channel) for channel in channels])

    return read


@np.errstate(over='ignore', invalid='ignore')  # what comes of it is no number
def _value(message: Any, channel: Channel) -> float:
    if channel.reduction is None:
        return next(_numbers(message, channel.path), float('nan'))
    first = channel.path[0].name
    if len(channel.path) == 1 and not hasattr(message, first) and hasattr(message, 'point_step'):
        return channel.reduction.over(point_values(message, first))
    return channel.reduction.over(np.array(list(_numbers(message, channel.path)), dtype=float))


def _numbers(message: Any, path: tuple[Step, ...], names: Sequence[str] = ()) -> Iterator[float]:
    """All numbers that a path reaches; none where the message lacks the element."""
    step, rest = path[0], path[1:]
    for name in NAME_LISTS:
        found = getattr(message, name, None)
        names = found if isinstance(found, (list, tuple)) else names
    value = getattr(message, step.name)
    if step.index is None and rest:
        yield from _numbers(value, rest, names)
        return
    if step.index is None and np.ndim(value) == 0:
        yield _number(value)
        return
    index = step.index
    if isinstance(index, str) and index != EVERY:
        index = names.index(index) if index in names else len(value)
    for element in value[index : index + 1] if isinstance(index, int) else value:
        if rest:
            yield from _numbers(element, rest)
        else:
            yield _number(element)


def _number(value: Any) -> float:
    return float(value[0] if isinstance(value, bytes) else value)  # rclpy holds byte as bytes
