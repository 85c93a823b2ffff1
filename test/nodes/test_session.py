from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from taolora_ros.bags import bag_types, read_messages
from taolora_ros.config import Config, overlay
from taolora_ros.engine import DetectorModel, require_trained
from taolora_ros.errors import ArtifactError
from taolora_ros.hardware.deployment import deploy
from taolora_ros.hardware.probe import probe
from taolora_ros.nodes.session import Session
from taolora_ros.nodes.shadow import Shadow, lead_hops
from taolora_ros.nodes.status import Agreement
from taolora_ros.samples import EventState, Phase, RawMessage


def _session(model: DetectorModel, bag: Path, *, shadow: Shadow | None = None) -> Session:
    ticks = itertools.count(step=1_000)  # each look at the clock is 1 µs after the one before
    deployment = deploy(model, model.config, probe())
    return Session(
        model,
        bag_types(bag),
        model.config,
        deployment=deployment,
        clock_ns=lambda: next(ticks),
        shadow=shadow,
    )


@pytest.fixture
def messages(hit_bag: Path) -> list[RawMessage]:
    return list(read_messages(hit_bag))


def test_tokens_are_counted_by_their_route_once_watching(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    hops = [*session.push(messages), *session.finish()]
    watching = [hop for hop in hops if hop.phase is Phase.WATCHING]
    transient = sum(hop.routing.is_transient for hop in watching)
    status = session.report(messages[-1].receive_ns)
    assert status.transient_tokens == transient > 0
    assert status.steady_tokens == len(watching) - transient > 0
    assert status.hops == len({hop.last_ns for hop in hops})


def test_latencies_are_those_since_the_last_report(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    hops = list(session.push(messages[:300]))
    latency = session.report(0).latency
    assert 0 < latency.count <= len(hops)
    assert latency.max_s == 1e-6
    again = session.report(0)
    assert again.latency.count == 0
    assert again.latency_in_all.count == latency.count


def test_every_watched_token_moves_the_bytes_of_its_route(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    list(session.push(messages))
    status = session.report(0)
    assert 0 < status.traffic.steady_bytes < status.traffic.transient_bytes
    assert status.bytes_moved == (
        status.steady_tokens * status.traffic.steady_bytes
        + status.transient_tokens * status.traffic.transient_bytes
    )
    assert status.facts['engine'] == 'cpu'


def test_an_event_is_on_from_its_onset_to_its_end(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    seen: list[tuple[EventState, bool]] = []
    for message in messages:
        for hop in session.push([message]):
            if hop.event:
                seen.append((hop.event.state, session.report(0).is_in_event))
    assert (EventState.ONSET, True) in seen
    assert (EventState.END, False) in seen
    assert (EventState.END, True) not in seen


def test_a_reset_begins_to_count_anew(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    first = [hop.score for hop in session.push(messages)]
    session.finish()
    session.reset()
    status = session.report(0)
    assert (status.hops, status.counts.received, status.last_ns) == (0, 0, 0)
    assert status.phase is Phase.WARMING
    assert [hop.score for hop in session.push(messages)] == first


def test_nothing_heard_is_said_before_the_first_message(
    model: DetectorModel, hit_bag: Path
) -> None:
    status = _session(model, hit_bag).report(0)
    assert status.unheard == model.channels
    assert status.stale == model.channels
    assert status.counts.received == 0


def test_a_retuned_session_goes_on_with_the_new_threshold(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    before = list(session.push(messages[:400]))[-1].threshold
    session.retune(overlay(model.config, {'detection': {'false_alarms_per_hour': 0.001}}))
    (hop, *_) = session.push(messages[400:])
    assert hop.threshold > before
    assert hop.phase is Phase.WATCHING


def test_hops_are_compared_with_the_twin_when_there_is_time(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    shadow = Shadow(model, 1.0, clock_ns=lambda: 0)
    session = _session(model, hit_bag, shadow=shadow)
    watched = 0
    for message in messages:
        watched += sum(hop.phase is Phase.WATCHING for hop in session.push([message]))
        session.compare(spare_ns=1)
    agreement = session.report(0).agreement
    assert agreement is not None
    assert agreement.hops == watched - lead_hops(model.config) > 0
    session.reset()
    session.compare(spare_ns=1)
    assert session.report(0).agreement == Agreement()


def test_nothing_is_compared_without_a_twin(
    model: DetectorModel, hit_bag: Path, messages: list[RawMessage]
) -> None:
    session = _session(model, hit_bag)
    list(session.push(messages))
    session.compare(spare_ns=1)
    assert session.report(0).agreement is None


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'channels': ['/other:data']}, r'channels: .* which does not watch /other:data'),
        ({'window': {'patch': 8}}, r'window\.patch: 8 .*trained with 4'),
        ({'model': {'order': 3}}, r'model\.order: 3'),
        ({'ingest': {'sample_rate_hz': 50.0}}, r'ingest\.sample_rate_hz: 50\.0'),
        ({'router': {'on': 2.0}}, r'router\.on: 2\.0'),
        ({'detection': {'warmup_s': 9.0}}, r'detection\.warmup_s: 9\.0'),
    ],
)
def test_settings_that_were_learned_cannot_be_changed(
    rotor_settings: Config, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArtifactError, match=said) as caught:
        require_trained(rotor_settings, overlay(rotor_settings, changes))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'changes',
    [
        {'detection': {'false_alarms_per_hour': 60.0, 'merge_s': 2.0}},
        {'ingest': {'lateness_s': 0.5, 'stale_s': 1.0}},
        {'training': {'epochs': 99}, 'labels': '/truth:data', 'device': 'cpu'},
    ],
)
def test_settings_of_live_operation_can_be_changed(
    rotor_settings: Config, changes: dict[str, Any]
) -> None:
    require_trained(rotor_settings, overlay(rotor_settings, changes))


def test_an_artifact_for_other_channels_is_refused(model: DetectorModel, hit_bag: Path) -> None:
    other = dataclasses.replace(model.config, channels=('/arm:effort',))
    deployment = deploy(model, other, probe())
    with pytest.raises(ArtifactError, match='channels'):
        Session(model, bag_types(hit_bag), other, deployment=deployment, clock_ns=lambda: 0)
