from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState

from taolora_ros.bags import BagWriter, read_messages
from taolora_ros.ingest.types import TypeRegistry

REPLAY = 'taolora_ros.nodes.replay'
WAIT_S = 40.0

Spin = Callable[[Callable[[], bool]], None]
Launch = Callable[..., subprocess.Popen[str]]
FAST = {'rate': 20.0}


def _stamps(messages: list) -> list[int]:
    return [Time.from_msg(message.header.stamp).nanoseconds for message in messages]


def test_every_message_arrives_in_order_with_its_stamp(
    start: Launch, hit_bag: Path, listen: Callable, spin_until: Spin, output: Callable[[], str]
) -> None:
    imu, joints = listen(Imu, '/rotor/imu'), listen(JointState, '/rotor/joints')
    replay = start(REPLAY, {'bag': hit_bag, **FAST})
    spin_until(lambda: replay.poll() is not None)
    assert replay.returncode == 0
    recorded = [message.receive_ns - 1_000_000 for message in read_messages(hit_bag)]
    spin_until(lambda: len(imu) + len(joints) == len(recorded))
    assert _stamps(imu) == sorted(set(recorded))
    assert _stamps(joints) == sorted(set(recorded))[::2]
    assert 'finished' in output()


def test_the_clock_tells_the_time_of_receipt_before_each_message(
    start: Launch, hit_bag: Path, listen: Callable, spin_until: Spin
) -> None:
    imu, clock = listen(Imu, '/rotor/imu'), listen(Clock, '/clock')
    replay = start(REPLAY, {'bag': hit_bag, **FAST})
    spin_until(lambda: replay.poll() is not None and len(imu) == 1000)
    times = [Time.from_msg(message.clock).nanoseconds for message in clock]
    assert times == sorted({message.receive_ns for message in read_messages(hit_bag)})


def test_it_begins_when_somebody_listens_and_then_loses_nothing(
    start: Launch, hit_bag: Path, listen: Callable, spin_until: Spin, probe: Node
) -> None:
    replay = start(REPLAY, {'bag': hit_bag, **FAST})
    spin_until(lambda: probe.count_publishers('/rotor/imu') == 1)
    imu = listen(Imu, '/rotor/imu')
    spin_until(lambda: replay.poll() is not None)
    spin_until(lambda: len(imu) == 1000)


def test_it_plays_to_nobody_if_told_so(start: Launch, hit_bag: Path) -> None:
    replay = start(REPLAY, {'bag': hit_bag, 'wait_for_subscribers': False, 'rate': 100.0})
    assert replay.wait(WAIT_S) == 0


def test_topics_can_be_chosen_and_remapped(
    start: Launch, hit_bag: Path, listen: Callable, spin_until: Spin, probe: Node
) -> None:
    imu = listen(Imu, '/robot/imu')
    parameters = {'bag': hit_bag, 'topics': "['/rotor/imu']", 'clock': False, **FAST}
    replay = start(REPLAY, parameters, '/rotor/imu:=/robot/imu')
    spin_until(lambda: len(imu) == 1000)
    assert probe.count_publishers('/rotor/joints') == 0
    spin_until(lambda: replay.poll() is not None)


def test_a_loop_begins_again_until_it_is_stopped(
    start: Launch, hit_bag: Path, listen: Callable, spin_until: Spin
) -> None:
    imu = listen(Imu, '/rotor/imu')
    replay = start(REPLAY, {'bag': hit_bag, 'loop': True, **FAST})
    spin_until(lambda: len(imu) > 1100)
    assert _stamps(imu)[1000:1010] == _stamps(imu)[:10]
    replay.terminate()
    assert replay.wait(WAIT_S) == 0


def test_topics_of_types_not_installed_are_skipped_and_counted(
    start: Launch, tmp_path: Path, listen: Callable, spin_until: Spin, output: Callable[[], str]
) -> None:
    registry = TypeRegistry()
    registry.add_text('strange_msgs/msg/Strange', 'float64 value\n')
    with BagWriter(tmp_path / 'bag', registry) as bag:
        for second in range(3):
            bag.write('/strange', 'strange_msgs/msg/Strange', {'value': 1.0}, second * 10**9)
            bag.write('/imu', 'sensor_msgs/msg/Imu', {}, second * 10**9)
    imu = listen(Imu, '/imu')
    start(REPLAY, {'bag': tmp_path / 'bag', **FAST})
    spin_until(lambda: len(imu) == 3)
    (line,) = [line for line in output().splitlines() if 'skipped' in line]
    assert 'topics=1 types=strange_msgs/msg/Strange' in line


@pytest.mark.parametrize(
    ('parameters', 'said'),
    [
        ({}, 'bag: not set; pass a recording'),
        ({'bag': '/nowhere'}, '/nowhere'),
        ({'bag': '{bag}', 'topics': "['/rotor/imy']"}, "no topic '/rotor/imy'; did you mean"),
        ({'bag': '{bag}', 'rate': 0.0}, 'rate: '),
    ],
)
def test_what_cannot_be_played_ends_with_one_line_and_status_1(
    start: Launch,
    hit_bag: Path,
    output: Callable[[], str],
    parameters: dict[str, object],
    said: str,
) -> None:
    filled = {
        name: value.format(bag=hit_bag) if isinstance(value, str) else value
        for name, value in parameters.items()
    }
    replay = start(REPLAY, filled)
    assert replay.wait(WAIT_S) == 1
    (line,) = output().splitlines()
    assert line.startswith('error: ')
    assert said in line
