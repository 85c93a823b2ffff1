"""Channel specs: which number of which message a channel is, written as one string.

/topic:field.path               a scalar field
/topic:field[3]                 an element of an array, by position
/topic:effort[elbow]            by name, where the message lists its elements' names (JointState)
/topic:effort[*]                every element; expanded to concrete channels against a message
/topic:field|rms                a reduction over an array, or over `a[*].b` of its elements
/points:z|mean                  a reduction over one field of a point cloud
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

import numpy as np

from taolora_ros.errors import ChannelError, nearest
from taolora_ros.samples import Floats

_TOPIC = re.compile(r'/[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')
_STEP = re.compile(r'(?P<name>[A-Za-z][A-Za-z0-9_]*)(\[(?P<index>[^\[\]]+)\])?(?P<dot>\.|$)')
EVERY = '*'


class Reduction(enum.Enum):
    """One number from many; elements that are NaN or infinite are left out."""

    MEAN = 'mean'
    MIN = 'min'
    MAX = 'max'
    STD = 'std'
    RMS = 'rms'
    ABSMAX = 'absmax'
    MEDIAN = 'median'
    SUM = 'sum'
    NORM = 'norm'
    FIRST = 'first'  # the element at the front, finite or not
    LAST = 'last'
    LENGTH = 'length'  # how many elements there are, finite or not

    def over(self, elements: Floats) -> float:
        """Reduce `elements` [N]; NaN where nothing finite is left to reduce."""
        if self is Reduction.LENGTH:
            return float(elements.size)
        if self in (Reduction.FIRST, Reduction.LAST):
            position = 0 if self is Reduction.FIRST else -1
            return float(elements[position]) if elements.size else float('nan')
        finite = elements[np.isfinite(elements)]
        return _FORMULAS[self](finite) if finite.size else float('nan')


_FORMULAS = {
    Reduction.MEAN: lambda x: float(np.mean(x)),
    Reduction.MIN: lambda x: float(np.min(x)),
    Reduction.MAX: lambda x: float(np.max(x)),
    Reduction.STD: lambda x: float(np.std(x)),
    Reduction.RMS: lambda x: float(np.sqrt(np.mean(np.square(x)))),
    Reduction.ABSMAX: lambda x: float(np.max(np.abs(x))),
    Reduction.MEDIAN: lambda x: float(np.median(x)),
    Reduction.SUM: lambda x: float(np.sum(x)),
    Reduction.NORM: lambda x: float(np.sqrt(np.sum(np.square(x)))),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One field on the way to the number, with the element it takes where it is an array."""

    name: str
    index: int | str | None = None  # position, element's name, EVERY, or no array

    def __str__(self) -> str:
        return self.name if self.index is None else f'{self.name}[{self.index}]'


@dataclass(frozen=True, slots=True)
class Channel:
    """One number over time; `str(channel)` is its canonical spec."""

    topic: str
    path: tuple[Step, ...]
    reduction: Reduction | None = None

    def __str__(self) -> str:
        reduction = f'|{self.reduction.value}' if self.reduction else ''
        return f'{self.topic}:{self.field}{reduction}'

    @property
    def field(self) -> str:
        """The path as text, without topic and reduction."""
        return '.'.join(map(str, self.path))

    @property
    def is_concrete(self) -> bool:
        """Whether it is one number, not a pattern to expand."""
        return self.reduction is not None or all(step.index != EVERY for step in self.path)

    def at(self, position: int, index: int | str) -> Channel:
        """The same channel with another element taken at one step of its path."""
        step = replace(self.path[position], index=index)
        return replace(self, path=(*self.path[:position], step, *self.path[position + 1 :]))


def parse_channel(text: str | Channel) -> Channel:
    """Read a channel spec.

    Raises:
        ChannelError: the text is no spec; says what is wrong with it and how to write it.
    """
    if isinstance(text, Channel):
        return text
    spec, bar, reduction = text.strip().partition('|')
    topic, colon, field = spec.strip().partition(':')
    topic, field = topic.strip(), field.strip()
    if not colon or not field:
        raise _malformed(text, 'it names no field')
    if not _TOPIC.fullmatch(topic):
        raise _malformed(text, f'{topic!r} is no absolute topic name')
    path = _parse_path(text, field)
    kind = _parse_reduction(text, reduction.strip()) if bar else None
    if kind and path[-1].index == EVERY:
        path = (*path[:-1], Step(path[-1].name))
    return Channel(topic, path, kind)


def _parse_path(text: str, field: str) -> tuple[Step, ...]:
    steps, position = [], 0
    while position < len(field):
        found = _STEP.match(field, position)
        if not found or (found['dot'] and found.end() == len(field)):
            raise _malformed(text, f'{field[position:]!r} is no field path')
        steps.append(Step(found['name'], _parse_index(text, found['index'])))
        position = found.end()
    return tuple(steps)


def _parse_index(text: str, index: str | None) -> int | str | None:
    if index is None:
        return None
    index = index.strip()
    if not index:
        raise _malformed(text, 'an empty [] takes no element')
    if re.fullmatch(r'-\d+', index):
        raise _malformed(text, f'[{index}]: positions count from 0; |last takes the last element')
    return int(index) if index.isdecimal() and index.isascii() else index


def _parse_reduction(text: str, name: str) -> Reduction:
    known = [kind.value for kind in Reduction]
    if name not in known:
        raise ChannelError(f'{text!r}: unknown reduction {name!r}; {nearest(name, known)}')
    return Reduction(name)


def _malformed(text: str, reason: str) -> ChannelError:
    return ChannelError(
        f'{text!r} is no channel: {reason}; write /topic:field.path, '
        f'e.g. /imu/data:linear_acceleration.x or /joint_states:effort[elbow]'
    )
