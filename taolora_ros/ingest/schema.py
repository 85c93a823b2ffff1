"""What a message type holds: its numbers, its stamp, and whether a channel names one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from taolora_ros.errors import ChannelError, nearest, nearest_told
from taolora_ros.ingest.cdr import CODES
from taolora_ros.ingest.channels import EVERY, Channel, Step, parse_channel
from taolora_ros.ingest.points import is_point_field, point_values
from taolora_ros.ingest.types import Fielddefs, FieldDesc, Nodetype, TypeRegistry

NAME_LISTS = ('name', 'names', 'joint_names')  # string arrays that name an array's elements
TIME = 'builtin_interfaces/msg/Time'
HEADER = 'std_msgs/msg/Header'


def numeric_fields(type_name: str, registry: TypeRegistry) -> tuple[str, ...]:
    """Every number in a message type as a channel's field path, arrays as `[*]`, in wire order.

    Raises:
        ChannelError: the type or one nested in it is unknown.
    """
    return tuple(_numeric(registry.fields(type_name), registry, ''))


def _numeric(fields: Fielddefs, registry: TypeRegistry, prefix: str) -> Iterator[str]:
    for name, desc in fields:
        path = f'{prefix}{name}'
        if desc[0] in (Nodetype.ARRAY, Nodetype.SEQUENCE):
            path, desc = f'{path}[{EVERY}]', desc[1][0]
        if desc[0] == Nodetype.NAME:
            if desc[1] != HEADER:
                yield from _numeric(registry.fields(desc[1]), registry, f'{path}.')
        elif desc[1][0] in CODES and name != 'structure_needs_at_least_one_member':
            yield path


def check_channel(channel: Channel, type_name: str, registry: TypeRegistry) -> None:
    """Refuse a channel that names no number of a message type.

    Raises:
        ChannelError: says what is wrong and which fields are close.
    """
    if is_point_field(channel, type_name, registry):
        if channel.reduction is None:
            raise ChannelError(f'{channel}: a field of every point; add a reduction, e.g. |mean')
        return
    inner, open_arrays = type_name, 0
    for position, step in enumerate(channel.path):
        fields = dict(registry.fields(inner))
        if step.name not in fields:
            known = [path.replace('[*]', '') for path in numeric_fields(type_name, registry)]
            wanted = '.'.join(item.name for item in channel.path)
            raise ChannelError(
                f'{channel}: {inner} has no field {step.name!r}; {nearest(wanted, known)}'
            )
        desc = fields[step.name]
        open_arrays += _check_step(channel, step, desc, is_last=position == len(channel.path) - 1)
        element = desc if desc[0] in (Nodetype.BASE, Nodetype.NAME) else desc[1][0]
        if element[0] == Nodetype.NAME:
            inner = str(element[1])
            if position == len(channel.path) - 1:
                below = ', '.join(name for name, _ in registry.fields(inner))
                raise ChannelError(f'{channel}: {step.name} is a message; add one of: {below}')
        elif element[1][0] not in CODES:
            raise ChannelError(f'{channel}: {step.name} is {element[1][0]}, not a number')
        elif position < len(channel.path) - 1:
            raise ChannelError(f'{channel}: {step.name} is a number and has no fields')
    if channel.reduction and not open_arrays:
        raise ChannelError(f'{channel}: one number needs no reduction; leave |… out')


def _check_step(channel: Channel, step: Step, desc: FieldDesc, *, is_last: bool) -> int:
    if desc[0] in (Nodetype.BASE, Nodetype.NAME):
        if step.index is not None:
            raise ChannelError(f'{channel}: {step.name} is no array; leave [{step.index}] out')
        return 0
    length = desc[1][1]
    if desc[0] == Nodetype.ARRAY and isinstance(step.index, int) and step.index >= length:
        raise ChannelError(f'{channel}: {step.name} has {length} elements, [0] to [{length - 1}]')
    if step.index is None and not (channel.reduction and is_last):
        raise ChannelError(
            f'{channel}: {step.name} is an array; take [i], [*], an element by [name] where the '
            f'message names them, or a reduction such as |rms'
        )
    if channel.reduction and isinstance(step.index, str) and step.index != EVERY:
        raise ChannelError(f'{channel}: [{step.index}] and a reduction do not go together')
    return int(step.index in (None, EVERY))


def stamp_path(type_name: str, registry: TypeRegistry) -> tuple[str, ...]:
    """Where the type's own stamp is: ('header', 'stamp'), ('stamp',) or nowhere, ()."""
    fields = dict(registry.fields(type_name))
    header = fields.get('header')
    if header is not None and header[0] == Nodetype.NAME and header[1] == HEADER:
        return ('header', 'stamp')
    stamp = fields.get('stamp')
    if stamp is not None and stamp[0] == Nodetype.NAME and stamp[1] == TIME:
        return ('stamp',)
    return ()


def names_path(channel: Channel, type_name: str, registry: TypeRegistry) -> tuple[str, ...] | None:
    """The string array that names the elements of the array that `[name]` takes one of."""
    named = [
        n
        for n, step in enumerate(channel.path)
        if isinstance(step.index, str) and step.index != EVERY
    ]
    if not named:
        return None
    position = named[0]
    found = name_list(channel, position, type_name, registry)
    if found is None or len(named) > 1:
        raise ChannelError(
            f'{channel}: {type_name} does not name the elements of '
            f'{channel.path[position].name}; take one by position, e.g. [0]'
        )
    return found


def name_list(
    channel: Channel, position: int, type_name: str, registry: TypeRegistry
) -> tuple[str, ...] | None:
    """Path to the string array that names the elements of the array at a step of the path."""
    found: tuple[str, ...] | None = None
    prefix: tuple[str, ...] = ()
    for step in channel.path[: position + 1]:
        fields = dict(registry.fields(type_name))
        for name in NAME_LISTS:
            desc = fields.get(name)
            if desc and desc[0] in (Nodetype.ARRAY, Nodetype.SEQUENCE):
                element = desc[1][0]
                if element[0] == Nodetype.BASE and element[1][0] == 'string':
                    found = (*prefix, name)
        desc = fields[step.name]
        if desc[0] != Nodetype.NAME:
            return found if step is channel.path[position] else None
        prefix, type_name = (*prefix, step.name), str(desc[1])
    return found


def expand(
    channel: Channel, type_name: str, data: bytes | memoryview, registry: TypeRegistry
) -> tuple[Channel, ...]:
    """The concrete channels that a channel stands for, by the elements a message has.

    Raises:
        ChannelError: the channel names no number, or no element, of this message.
        MessageError: the bytes are no such message.
    """
    check_channel(channel, type_name, registry)
    if is_point_field(channel, type_name, registry):
        point_values(registry.deserialize(data, type_name), channel.path[0].name)
        return (channel,)
    message = registry.deserialize(data, type_name)
    pending, concrete = [channel], []
    while pending:
        item = pending.pop(0)
        grown = _expand_first(item, type_name, message, registry)
        if grown is None:
            concrete.append(item)
        else:
            pending = [*grown, *pending]
    return tuple(concrete)


def element_names(
    type_name: str, paths: Sequence[str], data: bytes | memoryview, registry: TypeRegistry
) -> dict[str, tuple[str, ...]]:
    """The names that a message gives the elements of its arrays, by the arrays' field path.

    Raises:
        MessageError: the bytes are no such message.
    """
    found: dict[str, tuple[str, ...]] = {}
    message: Any = None
    for path in paths:
        steps = parse_channel(f'/_:{path}').path
        indexed = [n for n, step in enumerate(steps) if step.index == EVERY]
        if len(indexed) != 1:
            continue
        named = name_list(Channel('/_', steps), indexed[0], type_name, registry)
        if named:
            message = message or registry.deserialize(data, type_name)
            found[path] = tuple(_follow(message, named))
    return found


def _expand_first(
    channel: Channel, type_name: str, message: Any, registry: TypeRegistry
) -> list[Channel] | None:
    """Expand or check the first index of the path that needs it; None when all is settled."""
    value = message
    for position, step in enumerate(channel.path):
        value = getattr(value, step.name)
        if step.index is None:
            continue
        named = name_list(channel, position, type_name, registry)
        names = list(_follow(message, named)) if named else []
        if step.index == EVERY:
            if channel.reduction:
                return None
            keys = names if len(names) == len(set(names)) == len(value) else range(len(value))
            if not len(value):
                raise ChannelError(f'{channel}: {step.name} is empty in the first message')
            return [channel.at(position, key) for key in keys]
        index = step.index
        if isinstance(index, str):
            if named is None:
                names_path(channel, type_name, registry)
            if index not in names:
                near = nearest_told(index, names)
                raise ChannelError(f'{channel}: no element {index!r}; {near}')
            index = names.index(index)
        if index >= len(value):
            raise ChannelError(
                f'{channel}: {step.name} has {len(value)} elements in the first message'
            )
        value = value[index]
    return None


def _follow(message: Any, path: Sequence[str]) -> Any:
    for name in path:
        message = getattr(message, name)
    return message
