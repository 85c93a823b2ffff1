from __future__ import annotations

from pathlib import Path

import pytest

from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.types import TypeRegistry

WHEEL = 'float64 slip\nfloat32 torque\nstd_msgs/Header header\n'


def test_standard_types_are_known_without_ros(registry: TypeRegistry) -> None:
    names = [name for name, _ in registry.fields('sensor_msgs/msg/JointState')]
    assert names == ['header', 'name', 'position', 'velocity', 'effort']


def test_an_unknown_type_is_refused_with_its_neighbours(registry: TypeRegistry) -> None:
    with pytest.raises(ChannelError, match=r"'sensor_msgs/msg/Imou'.*'sensor_msgs/msg/Imu'"):
        registry.fields('sensor_msgs/msg/Imou')


def test_a_definition_given_as_text_is_learned() -> None:
    registry = TypeRegistry(prefixes=())
    registry.add_text('rover_msgs/msg/Wheel', WHEEL)
    message = registry.make('rover_msgs/msg/Wheel', {'torque': 2.0, 'header': {'frame_id': 'w'}})
    data = registry.serialize(message, 'rover_msgs/msg/Wheel')
    back = registry.deserialize(data, 'rover_msgs/msg/Wheel')
    assert (back.torque, back.slip, back.header.frame_id) == (2.0, 0.0, 'w')


def test_a_bags_own_definition_wins_over_the_standard_one() -> None:
    registry = TypeRegistry(prefixes=())
    registry.add_text('sensor_msgs/msg/Temperature', 'float32 kelvin\n')
    assert [name for name, _ in registry.fields('sensor_msgs/msg/Temperature')] == ['kelvin']
    assert TypeRegistry(prefixes=()).fields('sensor_msgs/msg/Temperature')[0][0] == 'header'


def test_an_installed_definition_is_found_under_the_ament_prefix(tmp_path: Path) -> None:
    folder = tmp_path / 'share' / 'rover_msgs' / 'msg'
    folder.mkdir(parents=True)
    (folder / 'Wheel.msg').write_text(WHEEL)
    (folder / 'Axle.msg').write_text('Wheel[2] wheels\n')
    registry = TypeRegistry(prefixes=(tmp_path,))
    assert registry.fields('rover_msgs/msg/Axle')[0][0] == 'wheels'
    message = registry.make('rover_msgs/msg/Axle', {'wheels': [{'slip': 1.0}, {'slip': 2.0}]})
    assert [wheel.slip for wheel in message.wheels] == [1.0, 2.0]


def test_an_unparsable_definition_is_one_line_to_who_asks_for_it() -> None:
    registry = TypeRegistry(prefixes=())
    registry.add_text('a/msg/B', 'float64[ x\n')
    with pytest.raises(ChannelError) as raised:
        registry.fields('a/msg/B')
    assert 'a/msg/B' in str(raised.value)
    assert '\n' not in str(raised.value)


def test_bytes_of_another_type_are_refused(registry: TypeRegistry) -> None:
    with pytest.raises(MessageError):
        registry.deserialize(b'\0\1\0\0abc', 'sensor_msgs/msg/Imu')


def test_a_value_for_no_field_is_refused(registry: TypeRegistry) -> None:
    with pytest.raises(ChannelError, match="did you mean 'temperature'"):
        registry.make('sensor_msgs/msg/Temperature', {'temperatur': 1.0})
