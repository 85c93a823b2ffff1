from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.channels import parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.schema import expand, numeric_fields
from taolora_ros.ingest.types import TypeRegistry

JOINTS = 'sensor_msgs/msg/JointState'
IMU = 'sensor_msgs/msg/Imu'
SCAN = 'sensor_msgs/msg/LaserScan'
TREE = 'tf2_msgs/msg/TFMessage'
MULTI = 'sensor_msgs/msg/MultiDOFJointState'

Read = Callable[..., tuple[Any, ...]]


@pytest.fixture(params=['bytes', 'object'])
def read(request: pytest.FixtureRequest, registry: TypeRegistry) -> Read:
    """Reads specs from messages given by their fields, as bytes or as objects, one reader."""

    def read_all(type_name: str, specs: list[str], *messages: dict[str, Any]) -> tuple[Any, ...]:
        reader = FieldReader(type_name, [parse_channel(f'/t:{s}') for s in specs], registry)
        results = []
        for values in messages:
            message = registry.make(type_name, values)
            if request.param == 'object':
                results.append(reader.read_object(message))
            else:
                results.append(reader.read(registry.serialize(message, type_name)))
        return tuple(results)

    return read_all


def test_scalars_and_the_header_stamp_are_read(read: Read) -> None:
    message = {
        'header': {'stamp': {'sec': 5, 'nanosec': 7}, 'frame_id': 'tool'},
        'angular_velocity': {'z': 0.5},
        'linear_acceleration': {'x': 1.0, 'y': 2.0},
        'orientation_covariance': range(9),
    }
    specs = ['linear_acceleration.y', 'angular_velocity.z', 'orientation_covariance[8]']
    assert read(IMU, specs, message) == ((5_000_000_007, (2.0, 0.5, 8.0)),)


def test_joints_are_found_by_name_when_their_order_changes(read: Read) -> None:
    specs = ['effort[elbow]', 'position[wrist]']
    first = {'name': ['elbow', 'wrist'], 'position': [1, 2], 'effort': [10, 20]}
    second = {'name': ['wrist', 'elbow'], 'position': [3, 4], 'effort': [30, 40]}
    third = {'name': ['base', 'wrist', 'elbow'], 'position': [5, 6, 7], 'effort': [50, 60, 70]}
    results = read(JOINTS, specs, first, second, third, first)
    assert [values for _, values in results] == [(10, 2), (40, 3), (70, 6), (10, 2)]


def test_a_joint_that_a_message_lacks_reads_as_nan(read: Read) -> None:
    gripper = {'name': ['finger'], 'position': [1.0]}
    no_effort = {'name': ['elbow'], 'position': [3.0], 'effort': []}
    (_, first), (_, second) = read(JOINTS, ['effort[elbow]', 'position[5]'], gripper, no_effort)
    assert all(map(math.isnan, (*first, *second)))


def test_arrays_are_reduced(read: Read) -> None:
    scan = {'ranges': [3.0, math.inf, 1.0, math.nan], 'intensities': range(100)}
    specs = ['ranges|min', 'ranges|length', 'ranges[0]', 'intensities|max', 'intensities[77]']
    ((_, values),) = read(SCAN, specs, scan)
    assert values == (1.0, 4.0, 3.0, 99.0, 77.0)


def test_messages_inside_arrays_are_reached_by_position_and_reduction(read: Read) -> None:
    transforms = [
        {'child_frame_id': 'a' * n, 'transform': {'translation': {'x': float(n)}}}
        for n in range(4)
    ]
    specs = ['transforms[2].transform.translation.x', 'transforms[*].transform.translation.x|sum']
    assert read(TREE, specs, {'transforms': transforms}) == ((None, (2.0, 6.0)),)


def test_messages_inside_arrays_are_found_by_joint_name(read: Read) -> None:
    message = {
        'joint_names': ['base', 'arm'],
        'transforms': [{'translation': {'x': 1.0}}, {'translation': {'x': 2.0}}],
        'wrench': [{'force': {'z': 3.0}}, {'force': {'z': 4.0}}],
    }
    specs = ['transforms[arm].translation.x', 'wrench[base].force.z']
    ((_, values),) = read(MULTI, specs, message)
    assert values == (2.0, 3.0)


def test_a_header_is_not_needed(read: Read) -> None:
    assert read('std_msgs/msg/Bool', ['data'], {'data': True}) == ((None, (1.0,)),)


def test_a_top_level_stamp_dates_a_message(read: Read) -> None:
    log = {'stamp': {'sec': 3, 'nanosec': 1}, 'line': 42}
    assert read('rcl_interfaces/msg/Log', ['line'], log) == ((3_000_000_001, (42.0,)),)


@pytest.mark.parametrize(
    ('type_name', 'spec', 'says'),
    [
        (IMU, 'linear_accel.x', "'linear_accel'; did you mean 'linear_acceleration.x'"),
        (IMU, 'linear_acceleration', 'is a message; add one of: x, y, z'),
        (IMU, 'linear_acceleration.x.y', 'has no fields'),
        (IMU, 'linear_acceleration.x[0]', 'is no array'),
        (IMU, 'linear_acceleration.x|mean', 'needs no reduction'),
        (IMU, 'orientation_covariance', 'is an array; take [i]'),
        (IMU, 'orientation_covariance[9]', 'has 9 elements'),
        (IMU, 'orientation_covariance[xx]', 'does not name the elements'),
        (IMU, 'header.frame_id', 'is string, not a number'),
        (JOINTS, 'effort[*]', 'has to be expanded or reduced'),
        ('sensor_msgs/msg/PointCloud2', 'z', 'add a reduction'),
    ],
)
def test_a_channel_that_names_no_number_is_refused(
    registry: TypeRegistry, type_name: str, spec: str, says: str
) -> None:
    channel = parse_channel(f'/t:{spec}')
    with pytest.raises(ChannelError) as raised:
        FieldReader(type_name, [channel], registry).read(b'\0\1\0\0')
    assert says in str(raised.value)
    assert '\n' not in str(raised.value)


def test_every_element_expands_to_names_or_positions(registry: TypeRegistry) -> None:
    joints = registry.make(JOINTS, {'name': ['b', 'a'], 'effort': [1, 2], 'velocity': [3]})
    data = registry.serialize(joints, JOINTS)

    def expanded(spec: str) -> list[str]:
        return [channel.field for channel in expand(parse_channel(spec), JOINTS, data, registry)]

    assert expanded('/j:effort[*]') == ['effort[b]', 'effort[a]']
    assert expanded('/j:velocity[*]') == ['velocity[0]']
    assert expanded('/j:effort[*]|rms') == ['effort']
    assert expanded('/j:effort[a]') == ['effort[a]']


def test_nested_arrays_expand_in_full(registry: TypeRegistry) -> None:
    scan = {'ranges': [{'echoes': [1.0]}, {'echoes': [2.0, 3.0]}]}
    kind = 'sensor_msgs/msg/MultiEchoLaserScan'
    data = registry.serialize(registry.make(kind, scan), kind)
    channels = expand(parse_channel('/s:ranges[*].echoes[*]'), kind, data, registry)
    assert [channel.field for channel in channels] == [
        'ranges[0].echoes[0]',
        'ranges[1].echoes[0]',
        'ranges[1].echoes[1]',
    ]
    assert FieldReader(kind, channels, registry).read(data)[1] == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ('spec', 'says'),
    [
        ('effort[elbo]', "no element 'elbo'; did you mean 'elbow'"),
        ('effort[4]', 'has 1 elements'),
        ('velocity[*]', 'is empty in the first message'),
    ],
)
def test_an_element_that_the_first_message_lacks_is_refused(
    registry: TypeRegistry, spec: str, says: str
) -> None:
    data = registry.serialize(registry.make(JOINTS, {'name': ['elbow'], 'effort': [1]}), JOINTS)
    with pytest.raises(ChannelError) as raised:
        expand(parse_channel(f'/j:{spec}'), JOINTS, data, registry)
    assert says in str(raised.value)


def test_numeric_fields_are_listed_as_channel_paths(registry: TypeRegistry) -> None:
    assert numeric_fields(JOINTS, registry) == ('position[*]', 'velocity[*]', 'effort[*]')
    assert numeric_fields('sensor_msgs/msg/Temperature', registry) == ('temperature', 'variance')
    assert 'wrench[*].force.x' in numeric_fields(MULTI, registry)


def test_an_object_of_another_type_is_a_message_error(registry: TypeRegistry) -> None:
    reader = FieldReader(IMU, [parse_channel('/i:angular_velocity.x')], registry)
    with pytest.raises(MessageError):
        reader.read_object(registry.make('std_msgs/msg/Bool'))
