"""Quality of service: what to ask of the publishers of a topic."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo


class Reliability(enum.Enum):
    """Whether lost messages are sent again."""

    AUTO = 'auto'  # as the publishers offer
    RELIABLE = 'reliable'
    BEST_EFFORT = 'best_effort'


class Durability(enum.Enum):
    """Whether messages from before the subscription are asked for."""

    AUTO = 'auto'  # as the publishers offer
    VOLATILE = 'volatile'
    TRANSIENT_LOCAL = 'transient_local'


def matching_qos(
    publishers: Sequence[TopicEndpointInfo],
    depth: int,
    *,
    reliability: Reliability = Reliability.AUTO,
    durability: Durability = Durability.AUTO,
) -> QoSProfile:
    """The most demanding profile that every publisher satisfies, unless the user wants another.

    Args:
        publishers: what offers the topic; none stands for sensor data: best effort, volatile.
        depth: messages that may wait to be drained.
        reliability: what to ask for whatever is offered.
        durability: what to ask for whatever is offered.
    """
    offered = [publisher.qos_profile for publisher in publishers]
    is_reliable = offered and all(
        profile.reliability is ReliabilityPolicy.RELIABLE for profile in offered
    )
    is_latched = offered and all(
        profile.durability is DurabilityPolicy.TRANSIENT_LOCAL for profile in offered
    )
    if reliability is not Reliability.AUTO:
        is_reliable = reliability is Reliability.RELIABLE
    if durability is not Durability.AUTO:
        is_latched = durability is Durability.TRANSIENT_LOCAL
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=(ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT),
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE),
    )


def mismatch(asked: QoSProfile, publishers: Sequence[TopicEndpointInfo]) -> str:
    """Why some publisher will not be heard under a profile; empty where all will be."""
    offered = [publisher.qos_profile for publisher in publishers]
    if asked.reliability is ReliabilityPolicy.RELIABLE and any(
        profile.reliability is ReliabilityPolicy.BEST_EFFORT for profile in offered
    ):
        return 'reliable is asked for, but best_effort is offered'
    if asked.durability is DurabilityPolicy.TRANSIENT_LOCAL and any(
        profile.durability is DurabilityPolicy.VOLATILE for profile in offered
    ):
        return 'transient_local is asked for, but volatile is offered'
    return ''
