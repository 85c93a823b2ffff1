from __future__ import annotations

import pytest

from taolora_ros.errors import ChannelError
from taolora_ros.ingest.channels import parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.schema import expand, numeric_fields, stamp_path
from taolora_ros.ingest.types import TypeRegistry

JOINTS = 'sensor_msgs/msg/JointState'
IMU = 'sensor_msgs/msg/Imu'
MULTI = 'sensor_msgs/msg/MultiDOFJointState'


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
        (MULTI, 'transforms[a].translation.x|max', 'do not go together'),
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


def test_a_stamp_is_in_the_header_or_on_top(registry: TypeRegistry) -> None:
    assert stamp_path(IMU, registry) == ('header', 'stamp')
    assert stamp_path('rcl_interfaces/msg/Log', registry) == ('stamp',)
    assert stamp_path('std_msgs/msg/Bool', registry) == ()
