"""Crafted messages: whatever another participant sends under the name of a type."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from taolora_ros.errors import ChannelError, MessageError, TaoloraError
from taolora_ros.ingest.channels import parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.schema import element_names, expand, numeric_fields
from taolora_ros.ingest.types import FieldDesc, Nodetype, TypeRegistry

FUZZ = settings(derandomize=True, database=None, deadline=None, max_examples=400)
FACTOR = 160  # an element of an array of messages becomes a list, a name an entry of a dict
REGISTRY = TypeRegistry(prefixes=())
STORE = get_typestore(Stores.ROS2_JAZZY)
NUMERIC = [name for name in sorted(STORE.fielddefs) if numeric_fields(name, REGISTRY)]
NAMED = [
    'sensor_msgs/msg/JointState',
    'sensor_msgs/msg/MultiDOFJointState',
    'trajectory_msgs/msg/JointTrajectory',
]
LENGTHS = [0, 1, 2, 3, 4, 7, 8, 31, 33, 255, 2**16, 2**24, 2**28, 2**29, 2**30, 2**31 - 1]
LENGTHS += [2**31, 2**31 + 1, 2**32 - 8, 2**32 - 4, 2**32 - 1]
WORDS = st.lists(st.sampled_from(LENGTHS) | st.integers(0, 40), max_size=120)

Survives = Callable[..., Any]
Readers = Callable[[str], FieldReader]


@pytest.fixture(scope='module')
def reader_of() -> Readers:
    """A reader of all numbers of a type; one for the whole run, as a topic has one."""
    readers: dict[str, FieldReader] = {}

    def find(type_name: str) -> FieldReader:
        if type_name not in readers:
            specs = []
            for path in numeric_fields(type_name, REGISTRY):
                ends = ('|sum', '|rms', '|length') if '[*]' in path else ('',)
                specs += [f'/t:{path}{end}' for end in ends]
            if type_name in NAMED:
                field = {'JointState': 'effort[a]', 'MultiDOFJointState': 'wrench[a].force.x'}
                name = field.get(type_name.rpartition('/')[2])
                specs += [f'/t:{name}'] if name else []
            channels = [parse_channel(spec) for spec in specs]
            readers[type_name] = FieldReader(type_name, channels, REGISTRY)
        return readers[type_name]

    return find


def value_of(desc: FieldDesc) -> Any:
    """Something for a field, two elements where it is a sequence."""
    if desc[0] == Nodetype.NAME:
        return values_of(desc[1])
    if desc[0] == Nodetype.BASE:
        return 'a' if desc[1][0] == 'string' else 1
    inner, count = desc[1]
    return [value_of(inner) for _ in range(count if desc[0] == Nodetype.ARRAY else 2)]


def values_of(type_name: str) -> dict[str, Any]:
    return {name: value_of(desc) for name, desc in REGISTRY.fields(type_name)}


def good(type_name: str) -> bytes:
    """A good message."""
    return bytes(REGISTRY.serialize(REGISTRY.make(type_name, values_of(type_name)), type_name))


@FUZZ
@given(
    type_name=st.sampled_from(NUMERIC),
    changes=st.lists(
        st.tuples(st.integers(0, 10**4), st.sampled_from(LENGTHS) | st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=4,
    ),
    cut=st.integers(0, 8),
)
def test_lengths_that_lie_are_refused_or_read_and_the_next_message_is_read_as_ever(
    survives: Survives, reader_of: Readers, type_name: str, changes: Any, cut: int
) -> None:
    message, reader = good(type_name), reader_of(type_name)
    before = reader.read(message)
    data = bytearray(message)
    for where, word in changes:
        place = 4 + where % max(1, (len(data) - 4) // 4) * 4
        data[place : place + 4] = struct.pack('<I', word)
    data = data[: len(data) - cut]
    outcome = survives(lambda: reader.read(data), size=len(data), factor=FACTOR)
    assert isinstance(outcome, (tuple, MessageError))
    assert repr(reader.read(message)) == repr(before)


@FUZZ
@given(type_name=st.sampled_from(NUMERIC), words=WORDS, order=st.sampled_from('<>'))
def test_bodies_made_of_lengths_are_refused_or_read(
    survives: Survives, reader_of: Readers, type_name: str, words: list[int], order: str
) -> None:
    head = b'\x00\x01\x00\x00' if order == '<' else b'\x00\x00\x00\x00'
    data = head + struct.pack(f'{order}{len(words)}I', *words)
    outcome = survives(lambda: reader_of(type_name).read(data), size=len(data), factor=FACTOR)
    assert isinstance(outcome, (tuple, MessageError))


@FUZZ
@given(type_name=st.sampled_from(NUMERIC), words=WORDS, garbage=st.binary(max_size=64))
def test_a_first_message_of_anything_is_refused_or_expanded(
    survives: Survives, type_name: str, words: list[int], garbage: bytes
) -> None:
    data = b'\x00\x01\x00\x00' + struct.pack(f'<{len(words)}I', *words) + garbage
    paths = numeric_fields(type_name, REGISTRY)[:4]

    def read() -> Any:
        names = element_names(type_name, paths, data, REGISTRY)
        return names, [expand(parse_channel(f'/t:{p}'), type_name, data, REGISTRY) for p in paths]

    outcome = survives(read, size=len(data), factor=2000)  # an element becomes a channel
    assert isinstance(outcome, (tuple, TaoloraError))


@pytest.mark.parametrize('type_name', NAMED)
@pytest.mark.parametrize('name', [b'\xff\xfe', b'\xed\xa0\x80', b'', b'a\0b', b'\n' * 40])
def test_names_that_are_no_text_are_refused_or_read(
    survives: Survives, reader_of: Readers, type_name: str, name: bytes
) -> None:
    message = good(type_name).replace(b'\x02\0\0\0a\0', struct.pack('<I', len(name)) + name, 1)
    outcome = survives(lambda: reader_of(type_name).read(message), size=400, factor=FACTOR)
    assert isinstance(outcome, (tuple, MessageError))


@pytest.mark.parametrize('count', [2**20])
@pytest.mark.parametrize(
    ('type_name', 'lead'),
    [
        ('sensor_msgs/msg/MultiEchoLaserScan', 12 + 4 + 7 * 4),
        ('tf2_msgs/msg/TFMessage', 0),
        ('sensor_msgs/msg/JointState', 12),
        ('diagnostic_msgs/msg/DiagnosticArray', 12),
    ],
)
def test_many_empty_elements_take_memory_and_time_in_proportion(
    survives: Survives, reader_of: Readers, type_name: str, lead: int, count: int
) -> None:
    """A large message of zeros whose first count claims as much as there are bytes."""
    data = bytearray(4 + lead + 4 + count // 4)
    data[1] = 1
    struct.pack_into('<I', data, 4 + lead, count // 16)
    outcome = survives(lambda: reader_of(type_name).read(data), size=len(data), factor=FACTOR)
    assert isinstance(outcome, (tuple, MessageError))


def test_a_joint_that_is_not_among_very_many_is_refused_in_a_short_line(
    survives: Survives,
) -> None:
    kind, channel = 'sensor_msgs/msg/JointState', parse_channel('/j:effort[elbow]')
    for names in ([f'j{n}' for n in range(20_000)], ['x' * 10_000] * 30):
        data = bytes(REGISTRY.serialize(REGISTRY.make(kind, {'name': names}), kind))
        outcome = survives(
            lambda data=data: expand(channel, kind, data, REGISTRY), size=len(data), factor=FACTOR
        )
        assert isinstance(outcome, ChannelError)


@pytest.mark.parametrize('field', ['effort', 'ranges'])
@pytest.mark.parametrize('number', [1.7e308, -1.7e308, 5e-324, float('nan'), float('-inf')])
def test_numbers_at_the_end_of_the_range_are_reduced_without_a_warning(
    reader_of: Readers, field: str, number: float
) -> None:
    is_scan = field == 'ranges'
    kind = f'sensor_msgs/msg/{"LaserScan" if is_scan else "JointState"}'
    elements = np.full(40, number if not is_scan else number / 1e270)
    elements = elements.astype(np.float32 if is_scan else np.float64)
    message = REGISTRY.make(kind, {field: elements})
    reader = reader_of(kind)
    read = reader.read(REGISTRY.serialize(message, kind))
    assert repr(reader.read_object(message)) == repr(read)


def test_a_signaling_nan_is_reduced_without_a_warning(reader_of: Readers) -> None:
    kind = 'sensor_msgs/msg/LaserScan'
    data = bytes(REGISTRY.serialize(REGISTRY.make(kind, {'ranges': [1.0] * 40}), kind))
    one = struct.pack('<f', 1.0) * 40
    assert data.count(one) == 1
    data = data.replace(one, struct.pack('<I', 0x7F800001) * 39 + struct.pack('<f', 2.0))
    reader = FieldReader(kind, [parse_channel('/t:ranges|sum')], REGISTRY)
    assert reader.read(data) == (0, (2.0,))


STEPS = st.sampled_from([0, 1, 4, 8, 16, 2**16, 2**31, 2**32 - 1]) | st.integers(0, 300)


@FUZZ
@given(
    shape=st.fixed_dictionaries(
        dict.fromkeys(('height', 'width', 'point_step', 'row_step'), STEPS)
    ),
    offset=STEPS,
    datatype=st.integers(0, 9),
    size=st.integers(0, 300),
)
def test_clouds_of_any_shape_are_refused_or_read(
    survives: Survives, shape: dict[str, int], offset: int, datatype: int, size: int
) -> None:
    kind = 'sensor_msgs/msg/PointCloud2'
    field = {'name': 'z', 'offset': offset, 'datatype': datatype, 'count': 1}
    values = {**shape, 'fields': [field], 'data': bytes(size)}
    data = bytes(REGISTRY.serialize(REGISTRY.make(kind, values), kind))
    reader = FieldReader(kind, [parse_channel('/t:z|mean')], REGISTRY)
    outcome = survives(lambda: reader.read(data), size=len(data), factor=FACTOR)
    assert isinstance(outcome, (tuple, MessageError))
