from __future__ import annotations

import pytest
from sensor_msgs.msg import Imu
from taolora_ros.msg import AnomalyEvent

from taolora_ros.errors import MessageError
from taolora_ros.nodes.message_types import message_class


def test_an_installed_type_is_found_by_its_name() -> None:
    assert message_class('sensor_msgs/msg/Imu') is Imu
    assert message_class('taolora_ros/msg/AnomalyEvent') is AnomalyEvent


@pytest.mark.parametrize(
    'name',
    ['dvl_msgs/msg/DVL', 'sensor_msgs/msg/Nothing', 'json/msg/JSONDecoder', 'Imu', '', '/msg/X'],
)
def test_a_type_that_is_not_installed_is_named_in_one_line(name: str) -> None:
    with pytest.raises(MessageError, match='is not installed') as caught:
        message_class(name)
    assert repr(name) in str(caught.value)
    assert '\n' not in str(caught.value)
