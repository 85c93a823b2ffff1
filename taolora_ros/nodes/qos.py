"""Quality of service: what to ask of the publishers of a topic."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo


def matching_qos(publishers: Sequence[TopicEndpointInfo], depth: int) -> QoSProfile:
    """The most demanding profile that every publisher satisfies.

    Args:
        publishers: what offers the topic; none stands for sensor data: best effort, volatile.
        depth: messages that may wait to be drained.
    """
    offered = [publisher.qos_profile for publisher in publishers]
    is_reliable = offered and all(
        profile.reliability is ReliabilityPolicy.RELIABLE for profile in offered
    )
    is_latched = offered and all(
        profile.durability is DurabilityPolicy.TRANSIENT_LOCAL for profile in offered
    )
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=(ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT),
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE),
    )
