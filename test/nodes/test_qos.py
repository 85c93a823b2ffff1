from __future__ import annotations

import pytest
import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from taolora_ros.nodes.qos import matching_qos

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL


@pytest.mark.parametrize(
    ('offered', 'reliability', 'durability'),
    [
        ([(RELIABLE, VOLATILE)], RELIABLE, VOLATILE),
        ([(RELIABLE, LATCHED)], RELIABLE, LATCHED),
        ([(BEST_EFFORT, VOLATILE)], BEST_EFFORT, VOLATILE),
        ([(RELIABLE, LATCHED), (BEST_EFFORT, VOLATILE)], BEST_EFFORT, VOLATILE),
        ([(RELIABLE, LATCHED), (RELIABLE, VOLATILE)], RELIABLE, VOLATILE),
    ],
)
def test_it_asks_for_no_more_than_every_publisher_offers(
    probe: Node,
    spin_until: object,
    offered: list[tuple[ReliabilityPolicy, DurabilityPolicy]],
    reliability: ReliabilityPolicy,
    durability: DurabilityPolicy,
) -> None:
    for number, (reliable, durable) in enumerate(offered):
        profile = QoSProfile(depth=number + 1, reliability=reliable, durability=durable)
        probe.create_publisher(String, '/topic', profile)
    spin_until(lambda: probe.count_publishers('/topic') == len(offered))  # type: ignore[operator]
    profile = matching_qos(probe.get_publishers_info_by_topic('/topic'), 50)
    assert (profile.reliability, profile.durability) == (reliability, durability)
    assert profile.depth == 50


def test_without_publishers_it_asks_for_sensor_data() -> None:
    sensor_data = rclpy.qos.qos_profile_sensor_data
    profile = matching_qos([], 7)
    assert profile.reliability == sensor_data.reliability
    assert profile.durability is VOLATILE
