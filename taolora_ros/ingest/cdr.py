"""Reading chosen fields straight from CDR bytes, by a plan compiled once for a message type.

A plan is a short list of operations in wire order: fixed runs (one `struct` call each), strings,
sequences, messages inside arrays. What is not wanted is skipped, and nothing after the last
wanted field is looked at. What is collected lands in a list, at places that `Plan.fields` names.

Alignment is that of XCDR version 1, which ROS 2 uses: every primitive at a multiple of its own
size, counted from the end of the four-byte encapsulation header.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.types import Fielddefs, Nodetype, TypeRegistry

Collected: TypeAlias = list[Any]
Want: TypeAlias = 'Mapping[str, Want | None]'  # None wants the whole field
Operation: TypeAlias = 'Callable[[memoryview, int, Collected], int]'  # returns the next position

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
_SMALL = 32  # sequences up to this many elements are unpacked to a tuple, longer ones viewed


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
    return Plan(builder.finish(), places)


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
            self._append(_SkipString(self.order))
            return Scalar(-1)
        self.run.append((self._code(kind), 1, wanted))
        return Scalar(self._take(1) if wanted else -1)

    def _numbers(self, kind: str, count: int, wanted: bool) -> Place:
        code = self._code(kind)
        if count >= 0:
            self.run.append((code, count, wanted))
            return Fixed(self._take(count) if wanted else -1, count)
        self._append(_Sequence(self.order, code, wanted), wanted=wanted)
        return Dynamic(self._take(1) if wanted else -1)

    def _strings(self, count: int, wanted: bool) -> Place:
        self._append(_Strings(self.order, count, wanted), wanted=wanted)
        return Names(self._take(1) if wanted else -1)

    def _elements(self, type_name: str, count: int, want: Want | None) -> Place:
        inner = _Builder(self.registry, self.order)
        places = inner.message(self.registry.fields(type_name), want)
        wanted = bool(want)
        self._append(_Messages(self.order, inner.whole(), count, wanted), wanted=wanted)
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
            self.operations.append(_Run(self.order, tuple(self.run)))
            if any(wanted for _, _, wanted in self.run):
                self.last_wanted = len(self.operations)
            self.run = []

    def _code(self, kind: str) -> str:
        if kind not in CODES:
            raise ChannelError(f'fields of type {kind} cannot be read, nor what follows them')
        return CODES[kind]


class _Run:
    """Neighbouring primitives of fixed count; a layout for each start modulo 8."""

    def __init__(self, order: str, items: tuple[tuple[str, int, bool], ...]) -> None:
        self._layouts = tuple(_layout(order, items, start) for start in range(8))
        sizes = {struct.calcsize(f'={code}') for code, _, _ in items}
        self.uniform = sizes.pop() if len(sizes) == 1 else 0
        self.count = sum(count for _, count, _ in items)

    def __call__(self, body: memoryview, position: int, out: Collected) -> int:
        unpack, length = self._layouts[position & 7]
        if unpack is not None:
            out += unpack(body, position)
        return position + length


def _layout(
    order: str, items: tuple[tuple[str, int, bool], ...], start: int
) -> tuple[Callable[[memoryview, int], tuple[Any, ...]] | None, int]:
    position, text, wanted_end, any_wanted = start, order, 0, False
    for code, count, wanted in items:
        size = struct.calcsize(f'={code}')
        pad = -position % size if count else 0
        text += f'{pad}x' + (f'{count}{code}' if wanted else f'{count * size}x')
        position += pad + count * size
        if wanted:
            wanted_end, any_wanted = len(text), True
    unpack = struct.Struct(text[:wanted_end]).unpack_from if any_wanted else None
    return unpack, position - start


class _SkipString:
    def __init__(self, order: str) -> None:
        self._length = struct.Struct(f'{order}I').unpack_from

    def __call__(self, body: memoryview, position: int, out: Collected) -> int:
        position = (position + 3) & -4
        return position + 4 + int(self._length(body, position)[0])


class _Sequence:
    """A sequence of primitives."""

    def __init__(self, order: str, code: str, wanted: bool) -> None:
        self._count = struct.Struct(f'{order}I').unpack_from
        self._size = struct.calcsize(f'={code}')
        self._wanted = wanted
        self._dtype = np.dtype(f'{order}{code}') if code != '?' else np.dtype(bool)
        self._small = [struct.Struct(f'{order}{n}{code}').unpack_from for n in range(_SMALL + 1)]

    def __call__(self, body: memoryview, position: int, out: Collected) -> int:
        position = (position + 3) & -4
        (count,) = self._count(body, position)
        position += 4
        if count:
            position = (position + self._size - 1) & -self._size
        end = position + count * self._size
        if end > len(body):
            raise MessageError(f'a sequence of {count} elements ends after the message')
        if self._wanted:
            if count <= _SMALL:
                out.append(self._small[count](body, position))
            else:
                out.append(np.frombuffer(body, self._dtype, count, position))
        return int(end)


class _Strings:
    """An array of strings, read as positions by name; unchanged bytes are not parsed again."""

    def __init__(self, order: str, count: int, wanted: bool) -> None:
        self._order, self._fixed, self._wanted = order, count, wanted
        self._length = struct.Struct(f'{order}I').unpack_from
        self._block = b''
        self._names: dict[str, int] = {}

    def __call__(self, body: memoryview, position: int, out: Collected) -> int:
        start = (position + 3) & -4
        end = start + len(self._block)
        if not self._block or body[start:end] != self._block:
            end = self._parse(body, start)
        if self._wanted:
            out.append(self._names)
        return end

    def _parse(self, body: memoryview, start: int) -> int:
        position, count = start, self._fixed
        if count < 0:
            (count,) = self._length(body, position)
            position += 4
        if count * 4 > len(body):
            raise MessageError(f'a sequence of {count} strings ends after the message')
        names: dict[str, int] = {}
        for index in range(count):
            position = (position + 3) & -4
            (length,) = self._length(body, position)
            position += 4
            if position + length > len(body):
                raise MessageError(f'a string of {length} bytes ends after the message')
            if self._wanted:
                name = bytes(body[position : position + max(length - 1, 0)]).decode()
                names.setdefault(name, index)
            position += length
        self._names, self._block = names, bytes(body[start:position])
        return position


class _Messages:
    """An array of messages."""

    def __init__(
        self, order: str, operations: tuple[Operation, ...], count: int, wanted: bool
    ) -> None:
        self._count = struct.Struct(f'{order}I').unpack_from
        self._operations, self._fixed, self._wanted = operations, count, wanted
        run = operations[0] if len(operations) == 1 else None
        self._uniform = run.uniform if isinstance(run, _Run) and not wanted else 0
        self._numbers = run.count if isinstance(run, _Run) else 0

    def __call__(self, body: memoryview, position: int, out: Collected) -> int:
        count = self._fixed
        if count < 0:
            position = (position + 3) & -4
            (count,) = self._count(body, position)
            position += 4
        if count > len(body):
            raise MessageError(f'a sequence of {count} messages ends after the message')
        if self._uniform:
            size = self._uniform
            position = (position + size - 1) & -size if count else position
            return position + count * size * self._numbers
        elements = []
        for _ in range(count):
            element: Collected = []
            for operation in self._operations:
                position = operation(body, position, element)
            if position > len(body):
                raise MessageError(f'a sequence of {count} messages ends after the message')
            elements.append(element)
        if self._wanted:
            out.append(elements)
        return position
