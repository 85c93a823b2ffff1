from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from taolora_ros.msg import AnomalyEvent, RoutingStatus

from taolora_ros.hardware.plan import Traffic
from taolora_ros.ingest.intake import IntakeCounts
from taolora_ros.monitoring import Latency
from taolora_ros.nodes.conversions import (
    event_message,
    routing_message,
    score_message,
    time_message,
)
from taolora_ros.nodes.status import Status
from taolora_ros.routing.router import RouterLimits
from taolora_ros.samples import Event, EventState, Hop, Phase, Routing, Severity

ROUTING = Routing(is_transient=True, variance_ratio=9.0, energy_z=4.0, clip_share=0.2)
EVENT = Event(
    id=3,
    state=EventState.ONGOING,
    severity=Severity.MAJOR,
    onset_ns=1_700_000_000_123_456_789,
    peak_ns=1_700_000_000_200_000_000,
    end_ns=1_700_000_001_000_000_000,
    score=2.5,
    peak_score=6.5,
    threshold=4.0,
    p_value=3e-7,
    contributions=np.array([0.2, 0.5, 0.0, 0.3]),
    fp16_share=0.75,
)


def test_a_stamp_keeps_its_nanoseconds() -> None:
    stamp = time_message(1_700_000_000_123_456_789)
    assert (stamp.sec, stamp.nanosec) == (1_700_000_000, 123_456_789)


def test_a_stamp_before_the_epoch_is_no_time() -> None:
    stamp = time_message(-5)
    assert (stamp.sec, stamp.nanosec) == (0, 0)


def test_channels_of_an_event_are_sorted_by_their_share() -> None:
    message = event_message(EVENT, ['a', 'b', 'c', 'd'])
    assert message.channels == ['b', 'd', 'a', 'c']
    assert list(message.contributions) == [0.5, 0.3, 0.2, 0.0]


def test_channels_with_the_same_share_keep_their_order() -> None:
    shared = Event(**{**_fields(EVENT), 'contributions': np.full(3, 1 / 3)})
    assert event_message(shared, ['x', 'y', 'z']).channels == ['x', 'y', 'z']


def _fields(event: Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in Event.__dataclass_fields__}


def test_an_event_message_says_all_that_the_event_does() -> None:
    message = event_message(EVENT, ['a', 'b', 'c', 'd'], snapshot_uri='file:///tmp/3.mcap')
    assert message.header.stamp == message.onset == time_message(EVENT.onset_ns)
    assert message.peak == time_message(EVENT.peak_ns)
    assert message.end == time_message(EVENT.end_ns)
    assert (message.id, message.state, message.severity) == (
        3,
        AnomalyEvent.ONGOING,
        AnomalyEvent.MAJOR,
    )
    assert (message.score, message.peak_score, message.threshold) == (2.5, 6.5, 4.0)
    assert (message.p_value, message.fp16_share) == (3e-7, 0.75)
    assert message.snapshot_uri == 'file:///tmp/3.mcap'


@pytest.mark.parametrize('state', list(EventState))
@pytest.mark.parametrize('severity', list(Severity))
def test_states_and_severities_have_the_numbers_of_the_message(
    state: EventState, severity: Severity
) -> None:
    event = Event(**{**_fields(EVENT), 'state': state, 'severity': severity})
    message = event_message(event, ['a', 'b', 'c', 'd'])
    assert message.state == getattr(AnomalyEvent, state.name)
    assert message.severity == getattr(AnomalyEvent, severity.name)


def test_a_score_is_stamped_with_the_last_row_of_its_hop() -> None:
    hop = Hop(100, 400, Phase.WATCHING, 3.5, 4.0, 3e-4, np.zeros(4), ROUTING, None)
    message = score_message(hop)
    assert message.header.stamp.nanosec == 400
    assert (message.score, message.threshold, message.p_value) == (3.5, 4.0, 3e-4)


@pytest.fixture
def status() -> Status:
    return Status(
        phase=Phase.WATCHING,
        last_ns=1_000_000_400,
        hop_s=0.04,
        hops=30,
        steady_tokens=20,
        transient_tokens=10,
        routing=ROUTING,
        limits=RouterLimits(variance_ratio=6.0, energy_z=3.0, clip_share=0.1),
        latency=Latency(30, 0.001, 0.002, 0.0025, 0.003),
        latency_in_all=Latency(90, 0.001, 0.002, 0.008, 0.009),
        traffic=Traffic(steady_bytes=1000, transient_bytes=1100),
        counts=IntakeCounts(received=500, unreadable=3, late=4, dropped=2, stray=1),
        channels=(),
        unheard=(),
        is_in_event=False,
        facts={},
    )


def test_routing_tells_the_route_with_its_reasons_and_limits(status: Status) -> None:
    message = routing_message(status)
    assert (message.steady_tokens, message.transient_tokens) == (20, 10)
    assert message.route == RoutingStatus.FP16
    assert (message.variance_ratio, message.variance_limit) == (9.0, 6.0)
    assert (message.energy_z, message.energy_limit) == (4.0, 3.0)
    assert (message.clip_share, message.clip_limit) == (0.2, 0.1)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 400)


def test_routing_tells_latencies_in_seconds_and_what_became_of_the_samples(
    status: Status,
) -> None:
    message = routing_message(status, lost=7)
    latencies = message.hop_latency_p50_s, message.hop_latency_p99_s, message.hop_latency_max_s
    assert latencies == (0.001, 0.002, 0.003)
    assert (message.samples_received, message.samples_late) == (500, 4)
    assert message.samples_dropped == 3 + 2 + 1 + 7


def test_routing_tells_the_rarest_hops_since_activation(status: Status) -> None:
    assert routing_message(status).hop_latency_p999_s == 0.008


def test_routing_tells_what_hops_read_and_the_share_of_each_route(status: Status) -> None:
    message = routing_message(status)
    assert (message.steady_hop_bytes, message.transient_hop_bytes) == (1000, 1100)
    assert message.bytes_moved == 20 * 1000 + 10 * 1100
    assert message.transient_share == pytest.approx(1 / 3)


def test_no_token_has_no_share(status: Status) -> None:
    fresh = dataclasses.replace(status, steady_tokens=0, transient_tokens=0)
    message = routing_message(fresh)
    assert (message.transient_share, message.bytes_moved) == (0.0, 0)
