"""Where a channel's number lies in what a plan collects from a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from taolora_ros.ingest.cdr import Elements, Fixed, Place, Places, Scalar
from taolora_ros.ingest.channels import Channel, Step
from taolora_ros.ingest.wire import Collected

MISSING = float('nan')  # what an element that a message lacks reads as
_NO_NAMES = -1


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a sequence of numbers."""

    slot: int
    names_slot: int  # where the elements' positions by name are; -1 where they have no names
    index: int | str


Computed: TypeAlias = Callable[[Collected], Sequence[float]]  # one number
Located: TypeAlias = int | Element | Computed  # an int is a slot


class ElementPicker:
    """Picks several elements of one sequence at once.

    Args:
        slot: of the sequence.
        names_slot: of the elements' positions by name, or -1.
        indexes: positions or names.
    """

    def __init__(self, slot: int, names_slot: int, indexes: Sequence[int | str]) -> None:
        self._slot, self._names_slot, self._indexes = slot, names_slot, indexes
        self._names: dict[str, int] | None = None  # those that the positions hold for
        self._positions = [index for index in indexes if isinstance(index, int)]
        self._needed = max(self._positions, default=-1) + 1

    def __call__(self, out: Collected) -> Sequence[float]:
        """The elements in their order; NaN where the message lacks one."""
        if self._names_slot != _NO_NAMES and out[self._names_slot] is not self._names:
            self._look_up(out[self._names_slot])
        elements = out[self._slot]
        if len(elements) >= self._needed:
            return [elements[position] for position in self._positions]
        count = len(elements)
        return [elements[n] if 0 <= n < count else MISSING for n in self._positions]

    def _look_up(self, names: dict[str, int]) -> None:
        self._names = names
        self._positions = [
            index if isinstance(index, int) else names.get(index, -1) for index in self._indexes
        ]
        is_complete = min(self._positions) >= 0
        self._needed = max(self._positions) + 1 if is_complete else 1 << 62


def locate(channel: Channel, fields: Places, names: Sequence[str] | None) -> Located:
    """Where a channel's number is, or the function that computes it.

    Args:
        channel: what to find.
        fields: where the wanted fields are.
        names: path to the array that names the elements, for channels with `[name]`.
    """
    if channel.reduction is not None:
        reduction, gather = channel.reduction, _gather(fields, channel.path)

        def reduced(out: Collected) -> Sequence[float]:
            with np.errstate(over='ignore', invalid='ignore'):  # what comes of it is no number
                return (reduction.over(np.array(gather(out), dtype=np.float64)),)

        return reduced
    return _number(fields, channel.path, slot_of(fields, names) if names else _NO_NAMES)


def slot_of(fields: Places, path: Sequence[str]) -> int:
    """The slot of the place that a path of field names leads to."""
    place: Any = fields
    for name in path:
        place = place[name]
    return int(place.slot)


def _number(fields: Places, path: tuple[Step, ...], names_slot: int) -> Located:
    step, rest = path[0], path[1:]
    place: Place = fields[step.name]
    if isinstance(place, dict):
        return _number(place, rest, names_slot)
    if isinstance(place, Scalar):
        return place.slot
    index = step.index
    assert index is not None
    if isinstance(place, Fixed):
        if isinstance(index, int):
            return place.slot + index
        slots, by_name = range(place.slot, place.slot + place.count), str(index)

        def of_fixed(out: Collected) -> Sequence[float]:
            position = out[names_slot].get(by_name, place.count)
            return (out[slots[position]] if position < place.count else MISSING,)

        return of_fixed
    picked = Element(place.slot, names_slot, index)
    if not isinstance(place, Elements):
        return picked
    pick, inner = ElementPicker(place.slot, names_slot, [index]), _number(place.fields, rest, -1)

    def of_message(out: Collected) -> Sequence[float]:
        (element,) = pick(out)
        if not isinstance(element, list):
            return (MISSING,)
        if isinstance(inner, int):
            return (element[inner],)
        if isinstance(inner, Element):
            return ElementPicker(inner.slot, inner.names_slot, [inner.index])(element)
        return inner(element)

    return of_message


def _gather(fields: Places, path: tuple[Step, ...]) -> Callable[[Collected], Any]:
    """All numbers that a path with open arrays reaches."""
    step, rest = path[0], path[1:]
    place, index = fields[step.name], step.index
    if isinstance(place, dict):
        return _gather(place, rest)
    if isinstance(place, Scalar):
        slot = place.slot
        return lambda out: out[slot : slot + 1]
    chosen = slice(index, index + 1) if isinstance(index, int) else slice(None)
    if isinstance(place, Fixed):
        inside = range(place.slot, place.slot + place.count)[chosen]
        return lambda out: out[inside.start : inside.stop]
    slot = place.slot
    if isinstance(place, Elements):
        inner = _gather(place.fields, rest)
        return lambda out: [number for element in out[slot][chosen] for number in inner(element)]
    return lambda out: out[slot][chosen]
