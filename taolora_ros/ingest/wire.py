"""The operations of which plans consist: each reads or skips one piece of a CDR message.

An operation takes the message's body, a position in it and the list to collect into, and returns
the position after its piece. Wanted numbers are appended to the list.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from taolora_ros.errors import MessageError

Collected: TypeAlias = list[Any]
Operation: TypeAlias = Callable[[memoryview, int, Collected], int]

_SMALL = 32  # sequences up to this many elements are unpacked to a tuple, longer ones viewed


class FixedRun:
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


class SkippedString:
    def __init__(self, order: str) -> None:
        self._length = struct.Struct(f'{order}I').unpack_from

    def __call__(self, body: memoryview, position: int, out: Collected) -> int:
        position = (position + 3) & -4
        return position + 4 + int(self._length(body, position)[0])


class NumberSequence:
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


class StringArray:
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


class MessageArray:
    """An array of messages."""

    def __init__(
        self, order: str, operations: tuple[Operation, ...], count: int, wanted: bool
    ) -> None:
        self._count = struct.Struct(f'{order}I').unpack_from
        self._operations, self._fixed, self._wanted = operations, count, wanted
        run = operations[0] if len(operations) == 1 else None
        self._uniform = run.uniform if isinstance(run, FixedRun) and not wanted else 0
        self._numbers = run.count if isinstance(run, FixedRun) else 0

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
