"""Message types by name: from a bag, from the packages installed here, or ROS 2 Jazzy's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.interfaces.typing import Fielddefs, FieldDesc, Typesdict
from rosbags.serde import SerdeError
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)

from taolora_ros.errors import ChannelError, MessageError, nearest

__all__ = ['FieldDesc', 'Fielddefs', 'Nodetype', 'TypeRegistry']

_UNREADABLE = (TypesysError, ValueError, KeyError, IndexError)
_NUMPY_NAMES = {'bool': 'bool', 'byte': 'uint8', 'char': 'uint8'}


class TypeRegistry:
    """Finds the fields of any message type whose definition is at hand.

    A definition found in a bag wins over an installed one, and that over ROS 2 Jazzy's.

    Args:
        prefixes: installed ament prefixes; AMENT_PREFIX_PATH where None.
    """

    def __init__(self, prefixes: tuple[Path, ...] | None = None) -> None:
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._prefixes = _ament_prefixes() if prefixes is None else prefixes
        self._texts: dict[str, tuple[str, bool]] = {}  # definition and whether it is IDL
        self._settled: set[str] = set()
        self._complete: set[str] = set()  # settled with all types nested in them

    def fields(self, type_name: str) -> Fielddefs:
        """Names and descriptions of a message's fields, in wire order.

        Raises:
            ChannelError: no definition of the type, or of one nested in it, is at hand, or it
                can't be read.
        """
        if type_name not in self._settled:
            self._settle(type_name)
        definition = self._store.fielddefs.get(type_name)
        if definition is None:
            raise ChannelError(
                f'no definition of type {type_name!r}; '
                f'source the workspace that has it, or use a bag recorded as mcap; '
                f'{nearest(type_name, self._store.fielddefs)}'
            )
        return definition[1]

    def add_text(self, type_name: str, text: str, *, idl: bool = False) -> None:
        """Take the definition that a bag holds as text; it is read once the type is asked for."""
        self._texts[type_name] = (text, idl)

    def deserialize(self, data: bytes | memoryview, type_name: str) -> Any:
        """The whole message as an object with the message's attributes.

        Raises:
            MessageError: the bytes are no such message.
        """
        self._settle_all(type_name)
        try:
            return self._store.deserialize_cdr(data, type_name)
        except (SerdeError, KeyError) as error:
            raise MessageError(f'{type_name}: {error}') from error

    def serialize(self, message: object, type_name: str) -> memoryview:
        """The message as little-endian CDR with its encapsulation header."""
        return self._store.serialize_cdr(message, type_name, little_endian=True)

    def make(self, type_name: str, values: Mapping[str, Any] | None = None) -> Any:
        """A message of plain values, nested by name; what is not named is zero or empty.

        Raises:
            ChannelError: a value names no field of the type.
        """
        values = values or {}
        fields = self.fields(type_name)
        if unknown := [name for name in values if name not in dict(fields)]:
            raise ChannelError(
                f'{type_name}: no field {unknown[0]!r}; {nearest(unknown[0], dict(fields))}'
            )
        arguments = [self._value(desc, values.get(name)) for name, desc in fields]
        return self._store.types[type_name](*arguments)

    def definition_text(self, type_name: str) -> tuple[str, str]:
        """The definition as .msg text, with those it depends on, and its RIHS01 hash."""
        self._settle_all(type_name)
        text, _ = self._store.generate_msgdef(type_name, ros_version=2)
        return text, self._store.hash_rihs01(type_name)

    def _value(self, desc: FieldDesc, value: Any) -> Any:
        if desc[0] == Nodetype.NAME:
            return self.make(desc[1], value)
        if desc[0] == Nodetype.BASE:
            name = desc[1][0]
            kind = str if name == 'string' else float if name.startswith('float') else int
            return kind() if value is None else (bool if name == 'bool' else kind)(value)
        inner, count = desc[1]
        if value is None:
            value = [None] * count if desc[0] == Nodetype.ARRAY else ()
        if inner[0] == Nodetype.NAME or inner[1][0] == 'string':
            return [self._value(inner, item) for item in value]
        dtype = _NUMPY_NAMES.get(inner[1][0], inner[1][0])
        return np.array([item or 0 for item in value], dtype=dtype)

    def _settle_all(self, type_name: str) -> None:
        if type_name in self._complete:
            return
        for _, desc in self.fields(type_name):
            inner = desc if desc[0] in (Nodetype.BASE, Nodetype.NAME) else desc[1][0]
            if inner[0] == Nodetype.NAME:
                self._settle_all(str(inner[1]))
        self._complete.add(type_name)

    def _settle(self, type_name: str) -> None:
        """Read the best definition there is."""
        if type_name in self._texts:
            text, idl = self._texts[type_name]
            try:
                found = get_types_from_idl(text) if idl else get_types_from_msg(text, type_name)
                self._learn(found)
            except _UNREADABLE as error:
                reason = (str(error).splitlines() or [''])[0].rstrip(':')
                raise ChannelError(
                    f'definition of {type_name!r} cannot be read: {reason}'
                ) from error
            self._settled.update(found)
            return
        self._settled.add(type_name)
        package, _, stem = type_name.partition('/msg/')
        for prefix in self._prefixes:
            source = prefix / 'share' / package / 'msg' / f'{stem}.msg'
            if not stem or not source.is_file():
                continue
            try:
                text = source.read_text(encoding='utf-8')
                self._learn(get_types_from_msg(text, type_name))
            except (OSError, *_UNREADABLE):
                continue  # written in a way the parser does not know: another source may serve
            return

    def _learn(self, definitions: Typesdict) -> None:
        known = self._store.fielddefs
        changed = [
            name
            for name, (_, fields) in definitions.items()
            if name in known and known[name][1] != fields
        ]
        for name in changed:
            del known[name], self._store.types[name]
        if changed:
            self._store.cache.clear()
        self._store.register(definitions)


def _ament_prefixes() -> tuple[Path, ...]:
    listed = os.environ.get('AMENT_PREFIX_PATH', '')
    return tuple(Path(prefix) for prefix in listed.split(os.pathsep) if prefix)
