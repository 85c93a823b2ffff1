"""What may happen to a running session: it is paused, re-based, swapped, falls behind, jumps."""

from __future__ import annotations

import dataclasses
import itertools
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from taolora_ros.bags import bag_types, read_messages
from taolora_ros.config import overlay
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ArtifactError
from taolora_ros.hardware.deployment import deploy
from taolora_ros.hardware.probe import probe
from taolora_ros.nodes.options import HealthOptions
from taolora_ros.nodes.session import Session
from taolora_ros.samples import NS_PER_S, EventState, Hop, Phase, RawMessage

HIT = 6.0  # seconds from the start of the recording to the strike, see conftest
# So little normal data supports no rate; the strike is far beyond this threshold.
RARE = {'detection': {'false_alarms_per_hour': 0.01}}

Make = Callable[..., Session]


@pytest.fixture(scope='module')
def messages(hit_bag: Path) -> list[RawMessage]:
    return list(read_messages(hit_bag))


@pytest.fixture
def make(model: DetectorModel, hit_bag: Path) -> Make:
    def build(
        artifact: DetectorModel | None = None, health: HealthOptions | None = None
    ) -> Session:
        chosen = artifact or model
        ticks = itertools.count(step=1_000)
        return Session(
            chosen,
            bag_types(hit_bag),
            overlay(chosen.config, RARE),
            deployment=deploy(chosen, chosen.config, probe()),
            clock_ns=lambda: next(ticks),
            health=health,
        )

    return build


def _shifted(messages: list[RawMessage], seconds: float) -> list[RawMessage]:
    """The same, received and stamped so much later."""
    shift_ns = round(seconds * NS_PER_S)

    def shift(message: RawMessage) -> RawMessage:
        sec, nanosec = struct.unpack_from('<iI', message.data, 4)
        sec, nanosec = divmod(sec * NS_PER_S + nanosec + shift_ns, NS_PER_S)
        data = bytearray(message.data)
        struct.pack_into('<iI', data, 4, sec, nanosec)
        return message._replace(data=bytes(data), receive_ns=message.receive_ns + shift_ns)

    return [shift(message) for message in messages]


def _until(messages: list[RawMessage], second: float) -> int:
    """How many messages come before a second of the recording."""
    end_ns = messages[0].receive_ns + round(second * NS_PER_S)
    return sum(message.receive_ns < end_ns for message in messages)


def _events(hops: list[Hop], state: EventState) -> list[int]:
    return [hop.event.id for hop in hops if hop.event and hop.event.state is state]


def _scored(hops: list[Hop]) -> list[Hop]:
    return [hop for hop in hops if hop.phase is Phase.WATCHING and not hop.event]


def test_a_disabled_session_reads_and_counts_but_scores_nothing(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make()
    assert session.enable(False) == []
    assert list(session.push(messages)) == []
    status = session.report(messages[-1].receive_ns)
    assert (status.is_enabled, status.hops, status.counts.received) == (False, 0, len(messages))
    assert status.disabled_rows == status.counts.rows > 900
    assert status.dropped_rows == 0
    assert status.stale == ()


def test_disabling_closes_the_open_event(make: Make, messages: list[RawMessage]) -> None:
    session = make()
    hops = list(session.push(messages[: _until(messages, HIT + 0.3)]))
    assert _events(hops, EventState.ONSET) == [1]
    assert _events(hops, EventState.END) == []
    assert _events(session.enable(False), EventState.END) == [1]
    assert session.enable(False) == []


def test_a_session_that_was_off_for_less_than_a_warm_up_keeps_its_location(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make()
    first, second = _until(messages, 3.0), _until(messages, 3.5)
    list(session.push(messages[:first]))
    session.enable(False)
    list(session.push(messages[first:second]))
    session.enable(True)
    hops = list(session.push(messages[second : _until(messages, HIT - 0.1)]))
    assert [hop.phase for hop in hops[:2]] == [Phase.WARMING, Phase.WARMING]  # windows fill
    assert len(_scored(hops)) > 10
    assert _events(hops, EventState.ONSET) == []


def test_messages_that_waited_too_long_are_counted_as_dropped_rows(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make()
    first = _until(messages, 2.5)
    list(session.push(messages[:first]))
    batch = messages[first : _until(messages, 5.5)]
    overdue = _until(messages, 4.0) - first
    hops = list(session.push(batch, overdue=overdue))
    status = session.report(0)
    # 1.5 s at 100 Hz, but for the rows that wait for a late topic.
    assert status.dropped_rows == status.recent_drops == pytest.approx(150, abs=8)
    assert session.report(0).recent_drops == 0
    assert status.counts.received == _until(messages, 5.5)
    assert status.counts.rows == pytest.approx(550, abs=8)
    assert _events(hops, EventState.ONSET) == []


def test_rebasing_warms_up_again_and_loses_no_count(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make()
    first = _until(messages, HIT + 0.3)
    list(session.push(messages[:first]))
    assert _events(session.rebase(), EventState.END) == [1]
    hops = list(session.push(messages[first:]))
    assert hops[0].phase is Phase.WARMING
    assert hops[-1].phase is Phase.WATCHING
    counts = session.report(0).counts
    assert (counts.received, counts.gaps, counts.restarts) == (len(messages), 0, 0)
    again = list(session.push(_shifted(messages, 10.0)))
    assert _events(again, EventState.ONSET) == [2]


def test_a_swapped_artifact_goes_on_with_counts_and_numbers(
    make: Make, model: DetectorModel, messages: list[RawMessage]
) -> None:
    before = make()
    first = _until(messages, HIT + 0.3)
    list(before.push(messages[:first]))
    after = make()
    assert _events(after.take_over(before), EventState.END) == [1]
    list(after.push(messages[first:]))
    assert after.report(0).counts.received == len(messages)
    assert after.report(0).counts.rows == make_rows(make, messages)
    hops = list(after.push(_shifted(messages, 10.0)))
    assert _events(hops, EventState.ONSET) == [2]


def make_rows(make: Make, messages: list[RawMessage]) -> int:
    """Rows that one session makes of them."""
    session = make()
    list(session.push(messages))
    return session.report(0).counts.rows


def test_an_artifact_that_reads_otherwise_takes_over_what_was_counted(
    make: Make, model: DetectorModel, messages: list[RawMessage]
) -> None:
    config = overlay(model.config, {'ingest': {'lateness_s': 0.2}})
    patient = dataclasses.replace(model, watch=dataclasses.replace(model.watch, config=config))
    before, after = make(), make(patient)
    first = _until(messages, 4.0)
    list(before.push(messages[:first]))
    after.take_over(before)
    list(after.push(messages[first:]))
    assert after.report(0).counts.received == len(messages)


def test_an_artifact_for_other_channels_is_refused_and_the_old_one_goes_on(
    make: Make, model: DetectorModel, messages: list[RawMessage]
) -> None:
    channels = (*model.channels[:-1], '/rotor/joints:effort[other]')
    other = dataclasses.replace(model, channels=channels)
    session = make()
    list(session.push(messages[:400]))
    with pytest.raises(ArtifactError, match=r'channels: the new artifact watches .*\[other\]'):
        make(other).take_over(session)
    assert len(list(session.push(messages[400:]))) > 50


@pytest.mark.parametrize('jump', [3600.0, -3600.0, -4.0], ids=['forward', 'back', 'loop'])
def test_a_clock_that_jumps_is_no_event(
    make: Make, messages: list[RawMessage], jump: float
) -> None:
    session = make()
    calm = messages[: _until(messages, HIT - 0.5)]
    hops = list(session.push(calm)) + list(session.push(_shifted(calm, jump)))
    assert _events(hops, EventState.ONSET) == []
    counts = session.report(0).counts
    assert (counts.gaps, counts.restarts) == (1, int(jump < 0))
    assert hops[-1].phase is Phase.WATCHING
    assert hops[-1].last_ns - messages[0].receive_ns == pytest.approx(
        (jump + HIT - 0.5) * NS_PER_S, abs=0.2 * NS_PER_S
    )


def test_events_are_found_again_after_a_recording_loops(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make()
    hops = [hop for _ in range(3) for hop in session.push(messages)]
    assert _events(hops, EventState.ONSET) == [1, 2, 3]
    assert _events(hops, EventState.END) == [1, 2, 3]


def test_a_pause_of_playback_is_no_event(make: Make, messages: list[RawMessage]) -> None:
    """Time stands still meanwhile, and the status is asked for over and over."""
    session = make()
    first = _until(messages, 4.0)
    hops = list(session.push(messages[:first]))
    for _ in range(50):
        assert session.report(messages[first].receive_ns).stale == ()
    hops += list(session.push(messages[first : _until(messages, HIT - 0.1)]))
    assert _events(hops, EventState.ONSET) == []
    assert session.report(0).counts.gaps == 0


def test_a_topic_with_a_timeout_of_its_own_is_stale_by_that(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make(health=HealthOptions(timeouts=('/rotor/imu=0.5',)))
    list(session.push(messages))
    status = session.report(messages[-1].receive_ns + NS_PER_S)
    assert {channel.partition(':')[0] for channel in status.stale} == {'/rotor/imu'}


def _with_value(message: RawMessage, value: float) -> RawMessage:
    """An Imu whose linear acceleration along x, the 30th number after its header, is replaced."""
    data = bytearray(message.data)
    struct.pack_into('<d', data, len(data) - 12 * 8, value)
    return message._replace(data=bytes(data))


@pytest.mark.parametrize(
    ('value', 'field'), [(float('nan'), 'broken'), (0.25, 'stuck')], ids=['nan', 'stuck']
)
def test_a_channel_that_goes_wrong_is_named(
    make: Make, messages: list[RawMessage], value: float, field: str
) -> None:
    session = make(health=HealthOptions(stuck_s=2.0))
    first = _until(messages, 2.0)
    list(session.push(messages[:first]))
    sound = session.report(messages[first].receive_ns)
    assert (sound.broken, sound.stuck) == ((), ())
    faulty = [
        _with_value(message, value) if message.topic == '/rotor/imu' else message
        for message in messages[first : _until(messages, 5.5)]
    ]
    list(session.push(faulty))
    status = session.report(faulty[-1].receive_ns)
    assert getattr(status, field) == ('/rotor/imu:linear_acceleration.x',)


def test_a_report_keeps_no_excerpts_of_rows_of_past_events(
    make: Make, messages: list[RawMessage]
) -> None:
    session = make()
    list(session.push(messages))
    session.finish()
    session.report(0)
    assert session._pipeline.engine.buffer.take() == []
