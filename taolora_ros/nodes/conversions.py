"""From the core's results to ROS messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.time import Time as ClockTime
from std_msgs.msg import Header

from taolora_ros.msg import AnomalyEvent, AnomalyScore, RoutingStatus
from taolora_ros.nodes.status import Status
from taolora_ros.samples import Event, Hop


def time_message(stamp_ns: int) -> Time:
    """A stamp in ns as a ROS time; times before 1970 become 0, which ROS calls 'no time'."""
    return ClockTime(nanoseconds=max(0, stamp_ns)).to_msg()


def event_message(
    event: Event, channels: Sequence[str], *, snapshot_uri: str = ''
) -> AnomalyEvent:
    """An event with its channels sorted by contribution, largest first.

    Args:
        event: where it stands now.
        channels: names [C] in the order of `event.contributions`.
        snapshot_uri: where the samples around it were written; empty if they were not.
    """
    order = np.argsort(-event.contributions, kind='stable')
    return AnomalyEvent(
        header=Header(stamp=time_message(event.onset_ns)),
        id=event.id,
        state=event.state.value,
        severity=event.severity.value,
        onset=time_message(event.onset_ns),
        peak=time_message(event.peak_ns),
        end=time_message(event.end_ns),
        score=event.score,
        peak_score=event.peak_score,
        threshold=event.threshold,
        p_value=event.p_value,
        channels=[channels[index] for index in order],
        contributions=[float(event.contributions[index]) for index in order],
        fp16_share=event.fp16_share,
        snapshot_uri=snapshot_uri,
    )


def score_message(hop: Hop) -> AnomalyScore:
    """The score of one hop, stamped with its last row."""
    return AnomalyScore(
        header=Header(stamp=time_message(hop.last_ns)),
        score=hop.score,
        threshold=hop.threshold,
        p_value=hop.p_value,
    )


def routing_message(status: Status, *, lost: int = 0) -> RoutingStatus:
    """Routes, latencies and sample counts of a running detector.

    Args:
        status: what it says of itself.
        lost: messages that were published, but lost on the way or in a queue.
    """
    routing, latency, counts = status.routing, status.latency, status.counts
    return RoutingStatus(
        header=Header(stamp=time_message(status.last_ns)),
        steady_tokens=status.steady_tokens,
        transient_tokens=status.transient_tokens,
        transient_share=status.transient_share,
        route=RoutingStatus.FP16 if routing.is_transient else RoutingStatus.INT4,
        variance_ratio=routing.variance_ratio,
        variance_limit=status.limits.variance_ratio,
        energy_z=routing.energy_z,
        energy_limit=status.limits.energy_z,
        clip_share=routing.clip_share,
        clip_limit=status.limits.clip_share,
        hop_latency_p50_s=latency.p50_s,
        hop_latency_p99_s=latency.p99_s,
        hop_latency_max_s=latency.max_s,
        hop_latency_p999_s=status.latency_in_all.p999_s,
        steady_hop_bytes=status.traffic.steady_bytes,
        transient_hop_bytes=status.traffic.transient_bytes,
        bytes_moved=status.bytes_moved,
        samples_received=counts.received,
        samples_late=counts.late,
        samples_dropped=counts.unreadable + counts.dropped + counts.stray + lost,
        stale_channels=list(status.stale),
    )
