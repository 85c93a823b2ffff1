"""Reading chosen fields straight from CDR bytes, by a plan compiled once for a message type.

A plan is a short list of operations in wire order: fixed runs (one `struct` call each), strings,
sequences, messages inside arrays. What is not wanted is skipped, and nothing after the last
wanted field is looked at. What is collected lands in a list, at places that `Plan.fields` names.

Alignment is that of XCDR version 1, which ROS 2 uses: every primitive at a multiple of its own
size, counted from the end of the four-byte encapsulation header.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.types import Fielddefs, Nodetype, TypeRegistry
from taolora_ros.ingest.wire import (
    Collected,
    FixedRun,
    MessageArray,
    NumberSequence,
    Operation,
    SkippedString,
    StringArray,
)

Want: TypeAlias = 'Mapping[str, Want | None]'  # None wants the whole field

CODES = {
    'bool': '?',
    'byte': 'B',
    'char': 'B',
    'int8': 'b',
    'uint8': 'B',
    'int16': 'h',
    'uint16': 'H',
    'int32': 'i',
    'uint32': 'I',
    'int64': 'q',
    'uint64': 'Q',
    'float32': 'f',
    'float64': 'd',
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number at a place of what was collected."""

    slot: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """The numbers of a fixed array, side by side."""

    slot: int
    count: int


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A sequence of numbers: one tuple or NumPy array."""

    slot: int


@dataclass(frozen=True, slots=True)
class Names:
    """A sequence of strings: a mapping from name to position."""

    slot: int


@dataclass(frozen=True, slots=True)
class Elements:
    """An array of messages: a list with what was collected from each."""

    slot: int
    fields: Places


Place: TypeAlias = 'Scalar | Fixed | Dynamic | Names | Elements | Places'
Places: TypeAlias = 'dict[str, Place]'


@dataclass(frozen=True, slots=True)
class Plan:
    """How to collect the wanted fields of one message type in one byte order."""

    operations: tuple[Operation, ...]
    fields: Places
    slots: int  # how many things are collected

    def collect(self, body: memoryview) -> Collected:
        """What is wanted of a message, its encapsulation header cut off.

        Raises:
            MessageError: the bytes end too early or hold lengths that cannot be.
        """
        out: Collected = []
        position = 0
        try:
            for operation in self.operations:
                position = operation(body, position, out)
        except (struct.error, UnicodeDecodeError) as error:
            raise MessageError(f'not this message: {error}') from error
        return out


def body_of(data: bytes | memoryview) -> tuple[memoryview, str]:
    """The bytes after the encapsulation header, and their byte order as `struct` writes it.

    Raises:
        MessageError: the header is not that of plain CDR.
    """
    if len(data) < 4 or data[0] != 0 or data[1] > 1:
        raise MessageError(
            f'no CDR message: it starts with {bytes(data[:4]).hex(" ") or "nothing"}'
        )
    return memoryview(data)[4:], '<' if data[1] else '>'


def compile_plan(type_name: str, want: Want, registry: TypeRegistry, order: str) -> Plan:
    """Plan the collection of the wanted fields of a message type.

    Args:
        type_name: e.g. 'sensor_msgs/msg/Imu'.
        want: wanted fields by name; nested for messages and arrays of messages.
        registry: finds the types' fields.
        order: '<' or '>'.

    Raises:
        ChannelError: a type is unknown or holds a field before the wanted ones whose length on
            the wire is not defined (wstring).
    """
    builder = _Builder(registry, order)
    places = builder.message(registry.fields(type_name), want)
    return Plan(builder.finish(), places, builder.slots)


@dataclass
class _Builder:
    """Collects operations in wire order; neighbouring fixed fields become one run."""

    registry: TypeRegistry
    order: str
    operations: list[Operation] = field(default_factory=list)
    run: list[tuple[str, int, bool]] = field(default_factory=list)  # code, count, wanted
    slots: int = 0
    last_wanted: int = 0  # operations needed for what is wanted

    def message(self, fields: Fielddefs, want: Want | None) -> Places:
        places: Places = {}
        for name, desc in fields:
            wanted = want is not None and name in want
            inner = want[name] if wanted and want is not None else None
            if desc[0] == Nodetype.NAME:
                place: Place = self.message(self.registry.fields(desc[1]), inner)
            elif desc[0] == Nodetype.BASE:
                place = self._base(desc[1][0], wanted)
            else:
                element, count = desc[1]
                count = count if desc[0] == Nodetype.ARRAY else -1
                if element[0] == Nodetype.NAME:
                    place = self._elements(element[1], count, inner if wanted else None)
                elif element[1][0] == 'string':
                    place = self._strings(count, wanted)
                else:
                    place = self._numbers(element[1][0], count, wanted)
            if wanted:
                places[name] = place
        return places

    def finish(self) -> tuple[Operation, ...]:
        self._close_run()
        return tuple(self.operations[: self.last_wanted])

    def whole(self) -> tuple[Operation, ...]:
        """All operations, as needed for a message that others follow."""
        self._close_run()
        return tuple(self.operations)

    def _base(self, kind: str, wanted: bool) -> Place:
        if kind == 'string':
            self._append(SkippedString(self.order))
            return Scalar(-1)
        self.run.append((self._code(kind), 1, wanted))
        return Scalar(self._take(1) if wanted else -1)

    def _numbers(self, kind: str, count: int, wanted: bool) -> Place:
        code = self._code(kind)
        if count >= 0:
            self.run.append((code, count, wanted))
            return Fixed(self._take(count) if wanted else -1, count)
        self._append(NumberSequence(self.order, code, wanted), wanted=wanted)
        return Dynamic(self._take(1) if wanted else -1)

    def _strings(self, count: int, wanted: bool) -> Place:
        self._append(StringArray(self.order, count, wanted), wanted=wanted)
        return Names(self._take(1) if wanted else -1)

    def _elements(self, type_name: str, count: int, want: Want | None) -> Place:
        inner = _Builder(self.registry, self.order)
        places = inner.message(self.registry.fields(type_name), want)
        wanted = bool(want)
        self._append(MessageArray(self.order, inner.whole(), count, wanted), wanted=wanted)
        return Elements(self._take(1) if wanted else -1, places)

    def _take(self, count: int) -> int:
        slot, self.slots = self.slots, self.slots + count
        return slot

    def _append(self, operation: Operation, *, wanted: bool = False) -> None:
        self._close_run()
        self.operations.append(operation)
        if wanted:
            self.last_wanted = len(self.operations)

    def _close_run(self) -> None:
        if self.run:
            self.operations.append(FixedRun(self.order, tuple(self.run)))
            if any(wanted for _, _, wanted in self.run):
                self.last_wanted = len(self.operations)
            self.run = []

    def _code(self, kind: str) -> str:
        if kind not in CODES:
            raise ChannelError(f'fields of type {kind} cannot be read, nor what follows them')
        return CODES[kind]
