from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from taolora_ros.errors import MessageError
from taolora_ros.ingest.channels import parse_channel
from taolora_ros.ingest.fields import FieldReader
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


def test_an_object_of_another_type_is_a_message_error(registry: TypeRegistry) -> None:
    reader = FieldReader(IMU, [parse_channel('/i:angular_velocity.x')], registry)
    with pytest.raises(MessageError):
        reader.read_object(registry.make('std_msgs/msg/Bool'))


def test_messages_of_rclpy_read_like_their_bytes(registry: TypeRegistry) -> None:
    serialization = pytest.importorskip('rclpy.serialization', reason='needs ROS 2')
    from diagnostic_msgs.msg import DiagnosticStatus
    from sensor_msgs.msg import JointState

    joints = JointState(name=['a', 'b'], position=[1.0, 2.0], effort=[3.0, 4.0])
    joints.header.stamp.sec = 4
    specs = ['/j:position[b]', '/j:effort|sum', '/j:velocity|length', '/j:velocity[a]']
    reader = FieldReader(JOINTS, [parse_channel(spec) for spec in specs], registry)
    stamp, values = reader.read(serialization.serialize_message(joints))
    assert (stamp, values[:3], math.isnan(values[3])) == (4_000_000_000, (2.0, 7.0, 0.0), True)
    assert reader.read_object(joints)[1][:3] == values[:3]
    status = DiagnosticStatus(level=b'\x02')
    levels = FieldReader(
        'diagnostic_msgs/msg/DiagnosticStatus', [parse_channel('/d:level')], registry
    )
    assert levels.read_object(status) == levels.read(serialization.serialize_message(status))
