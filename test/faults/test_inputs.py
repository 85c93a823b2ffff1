"""What goes wrong with what the detector hears; all of it is named on /diagnostics."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from std_msgs.msg import Float64

from taolora_ros.nodes.intake import TopicIntake
from taolora_ros.samples import NS_PER_S, RawMessage

IMU = '/rotor/imu:linear_acceleration.x'


@pytest.fixture
def rotor_process(rig: Any) -> Iterator[Any]:
    """Starts rotors of their own process; `rig`'s own publishers keep silent."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(rate_hz: float) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name('rotor_process.py')
        process = subprocess.Popen([sys.executable, str(script), str(rate_hz)], env=os.environ)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize('jump_s', [3600.0, -3600.0, -3.0], ids=['forward', 'back', 'loop'])
def test_a_clock_that_jumps_is_counted_and_is_no_event(watching: Any, jump_s: float) -> None:
    watching.now_ns += round(jump_s * NS_PER_S)
    watching.play(6.0)
    watching.await_report('detector', 'watching')
    counted = 'restarts' if jump_s < 0 else 'gaps'
    watching.spin_until(lambda: watching.value('input', counted) == '1')
    assert watching.onsets() == 0
    watching.find()


def test_a_topic_that_falls_silent_is_stale_and_its_return_is_no_event(watching: Any) -> None:
    def drop(imu: Any, number: int) -> None:
        watching.publishers['/rotor/joints'] = silent

    class Silent:
        def get_subscription_count(self) -> int:
            return 0

    silent: Any = Silent()
    speaking = watching.publishers['/rotor/joints']
    watching.play(6.0, drop)
    watching.await_report('channel /rotor/joints:effort[shaft]', 'silent for')
    level, said = watching.told('input')
    assert (level, said) == (DiagnosticStatus.WARN, '1 of 3 channels are silent')
    assert watching.told('channel /rotor/joints:effort[shaft]')[0] == DiagnosticStatus.STALE
    assert watching.told(f'channel {IMU}')[0] == DiagnosticStatus.OK
    watching.publishers['/rotor/joints'] = speaking
    watching.play(1.0)
    watching.await_report('input', 'all channels deliver')


def test_a_storm_of_nan_is_named_and_counted_and_is_no_event(watching: Any) -> None:
    def storm(imu: Any, number: int) -> None:
        imu.linear_acceleration.x = math.nan

    before = int(watching.value('input', 'non_finite'))
    for _ in range(3):
        watching.play(0.3, storm)
    watching.await_report('input', f'{IMU} delivers values that are not finite')
    watching.spin_until(lambda: int(watching.value('input', 'non_finite')) == before + 90)
    watching.play(3.0)
    watching.await_report('input', 'all channels deliver')
    watching.find()


def test_a_type_that_changes_is_named_and_the_old_one_is_heard_when_it_returns(
    watching: Any,
) -> None:
    watching.node.destroy_publisher(watching.publishers.pop('/rotor/joints'))
    watching.await_report('input', 'no publisher of /rotor/joints')
    impostor = watching.participant('impostor')
    publisher = impostor.create_publisher(Float64, '/rotor/joints', 10)
    watching.spin_until(lambda: publisher.get_subscription_count() == 1)
    publisher.publish(Float64(data=1.0))
    watching.sent += 1
    watching.settle()
    watching.await_report('input', "no field 'effort'")
    level, _ = watching.told('channel /rotor/joints:effort[shaft]')
    assert level == DiagnosticStatus.ERROR
    assert watching.value('input', 'type_changes') == '1'
    assert watching.value('input', 'unreadable') == '1'


def test_ten_times_the_expected_rate_is_kept_up_with_or_counted(
    rig: Any, model_path: Path, rotor_process: Any
) -> None:
    for publisher in rig.publishers.values():
        rig.node.destroy_publisher(publisher)
    rig.publishers.clear()
    rig.detect({'model': model_path, 'use_sim_time': False, 'queue': 10_000})
    rotor_process(1000.0)
    rig.spin_until(lambda: rig.told('detector')[1] == 'watching')
    rig.spin_until(lambda: float(_rate(rig)) > 200.0)
    watcher = rig.detector._watcher
    assert watcher.session.counts.unreadable == 0
    assert watcher.intake.lost == 0


def _rate(rig: Any) -> str:
    status = next(s for s in rig.arrays[-1].status if s.name.endswith(IMU))
    return next(pair.value for pair in status.values if pair.key == 'rate Hz')


def test_a_publisher_that_is_killed_is_named_and_its_successor_is_heard(
    rig: Any, model_path: Path, rotor_process: Any
) -> None:
    for publisher in rig.publishers.values():
        rig.node.destroy_publisher(publisher)
    rig.publishers.clear()
    rig.detect({'model': model_path, 'use_sim_time': False, 'ingest.stale_s': 1.0})
    victim = rotor_process(100.0)
    rig.await_report('detector', 'watching')
    os.kill(victim.pid, signal.SIGKILL)
    rig.await_report('input', 'all channels are silent')
    assert rig.told('input')[0] == DiagnosticStatus.STALE
    rotor_process(100.0)
    rig.await_report('input', 'all channels deliver')
    assert rig.value('input', 'lost') == '0'


def test_two_hundred_topics_are_heard_and_the_one_that_is_missing_is_named(rig: Any) -> None:
    """Intake alone: no artifact of 200 channels can be trained in the time of a test."""
    topics = [f'/many/topic_{number}' for number in range(200)]
    listener = rig.participant('listener')
    intake = TopicIntake(listener, topics, depth=10, is_simulated=False)
    publishers = [rig.node.create_publisher(Float64, topic, 10) for topic in topics[:-1]]
    messages: list[RawMessage] = []

    def publish_until(holds: Callable[[], bool]) -> None:
        def is_done() -> bool:
            intake.discover()
            messages.extend(intake.drain())
            return holds()

        rig.spin_until(is_done)

    publish_until(lambda: all(each.get_subscription_count() for each in publishers))
    assert intake.waiting == ('/many/topic_199',)
    for number, publisher in enumerate(publishers):
        publisher.publish(Float64(data=float(number)))
    publish_until(lambda: len(messages) == 199)
    assert {message.topic for message in messages} == set(topics[:-1])
    assert intake.lost == 0
    listener.destroy_node()
