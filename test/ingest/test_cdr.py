"""The plan walker against rosbags' deserialization, over every standard message type."""

from __future__ import annotations

import contextlib
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.cdr import CODES, body_of
from taolora_ros.ingest.channels import Channel, parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.schema import expand, numeric_fields
from taolora_ros.ingest.types import FieldDesc, Nodetype, TypeRegistry

STORE = get_typestore(Stores.ROS2_JAZZY)
REGISTRY = TypeRegistry(prefixes=())
NUMERIC = [name for name in sorted(STORE.fielddefs) if numeric_fields(name, REGISTRY)]
RANGES = {'b': 7, 'B': 8, 'h': 15, 'H': 16, 'i': 31, 'I': 32, 'q': 63, 'Q': 64}


def random_values(type_name: str, chance: random.Random, depth: int = 0) -> dict[str, Any]:
    return {
        name: random_value(desc, chance, depth)
        for name, desc in REGISTRY.fields(type_name)
        if name != 'structure_needs_at_least_one_member'
    }


def random_value(desc: FieldDesc, chance: random.Random, depth: int) -> Any:
    if desc[0] == Nodetype.NAME:
        return random_values(desc[1], chance, depth)
    if desc[0] == Nodetype.BASE:
        return random_number(desc[1][0], chance)
    inner, count = desc[1]
    if desc[0] == Nodetype.SEQUENCE:
        longest = 3 if depth else 40 if inner[0] == Nodetype.BASE else 4
        count = chance.randrange(min(longest, count or longest) + 1)
    return [random_value(inner, chance, depth + 1) for _ in range(count)]


def random_number(kind: str, chance: random.Random) -> Any:
    if kind == 'string':
        return ''.join(chance.choice('abcä') for _ in range(chance.randrange(9)))
    code = CODES[kind]
    if code == '?':
        return chance.random() < 0.5
    if code in 'fd':
        return chance.choice([chance.gauss(0, 1e3), math.nan, math.inf, 0.0])
    bits = 7 if kind == 'byte' else RANGES[code]  # rosbags holds an octet as signed
    return chance.randrange(-(2**bits) if code.islower() else 0, 2**bits)


def watched(type_name: str, data: bytes) -> list[Channel]:
    """All numbers of a message: its elements one by one where few, and its arrays reduced."""
    channels: list[Channel] = []
    for path in numeric_fields(type_name, REGISTRY):
        spec = f'/t:{path}'
        if '[*]' not in path:
            channels.append(parse_channel(spec))
            continue
        channels += [parse_channel(f'{spec}|{kind}') for kind in ('sum', 'last', 'length')]
        with contextlib.suppress(ChannelError):  # an empty array has no elements to expand to
            channels += expand(parse_channel(spec), type_name, data, REGISTRY)[:5]
    return channels


@pytest.mark.parametrize('type_name', NUMERIC)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), little=st.booleans())
def test_plans_read_what_rosbags_reads(type_name: str, seed: int, little: bool) -> None:
    message = REGISTRY.make(type_name, random_values(type_name, random.Random(seed)))
    data = bytes(STORE.serialize_cdr(message, type_name, little_endian=little))
    reader = FieldReader(type_name, watched(type_name, data), REGISTRY)
    expected = reader.read_object(STORE.deserialize_cdr(data, type_name))
    for _ in range(2):  # what a plan remembers from the first message must not change the second
        stamp, values = reader.read(data)
        assert stamp == expected[0]
        assert values == pytest.approx(expected[1], rel=1e-12, nan_ok=True)


@settings(max_examples=300, deadline=None)
@given(type_name=st.sampled_from(NUMERIC), seed=st.integers(0, 2**32), where=st.integers(0, 2**16))
def test_a_message_cut_short_is_refused_or_read_the_same(
    type_name: str, seed: int, where: int
) -> None:
    chance = random.Random(seed)
    message = REGISTRY.make(type_name, random_values(type_name, chance))
    data = bytes(REGISTRY.serialize(message, type_name))
    reader = FieldReader(type_name, watched(type_name, data), REGISTRY)
    whole = reader.read(data)
    try:
        cut = reader.read(data[: where % len(data)])
    except MessageError:
        return
    assert cut[1] == pytest.approx(whole[1], nan_ok=True)


@settings(max_examples=300, deadline=None)
@given(type_name=st.sampled_from(NUMERIC), garbage=st.binary(max_size=200))
def test_garbage_never_raises_anything_but_a_message_error(type_name: str, garbage: bytes) -> None:
    channels = [
        parse_channel(f'/t:{path}' + ('|mean' if '[*]' in path else ''))
        for path in numeric_fields(type_name, REGISTRY)
    ]
    reader = FieldReader(type_name, channels, REGISTRY)
    try:
        _, values = reader.read(b'\x00\x01\x00\x00' + garbage)
    except MessageError:
        return
    assert len(values) == len(channels)


@pytest.mark.parametrize('header', [b'', b'\x00\x01', b'\x01\x01\x00\x00', b'\x00\x03\x00\x00'])
def test_other_encapsulations_are_refused(header: bytes) -> None:
    with pytest.raises(MessageError, match='no CDR message'):
        body_of(header)
