"""Several detectors in one process and one executor, each in a namespace of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import Imu
from std_srvs.srv import SetBool, Trigger
from taolora_ros.msg import AnomalyEvent

from taolora_ros.nodes.detector import Detector

ROBOTS = ('left', 'right')


class Fleet:
    """Two detectors beside a rig, which drives the time of both."""

    def __init__(self, rig: Any, model_path: Path, *, own_topics: bool) -> None:
        self.rig = rig
        self.struck = set(ROBOTS)
        self.events: dict[str, list[AnomalyEvent]] = {robot: [] for robot in ROBOTS}
        self._publishers = dict(rig.publishers)
        if own_topics:
            self._publishers = {
                f'/{robot}{topic}': rig.node.create_publisher(
                    publisher.msg_type, f'/{robot}{topic}', publisher.qos_profile
                )
                for robot in ROBOTS
                for topic, publisher in rig.publishers.items()
            }
            rig.publish = self._publish_each
        for robot in ROBOTS:
            rig.node.create_subscription(
                AnomalyEvent, f'/{robot}/taolora/anomalies', self.events[robot].append, 100
            )
        rclpy.init(args=[], domain_id=rig._domain)
        rig.executor = SingleThreadedExecutor()
        self.detectors = {}
        for robot in ROBOTS:
            rules = [f'{topic}:=/{robot}{topic}' for topic in rig.publishers if own_topics]
            detector = Detector(
                namespace=f'/{robot}',
                cli_args=['--ros-args', *(word for rule in rules for word in ('-r', rule))],
                parameter_overrides=[
                    Parameter('model', value=str(model_path)),
                    Parameter('use_sim_time', value=True),
                    Parameter('status_s', value=0.1),
                    Parameter('detection.false_alarms_per_hour', value=0.01),
                ],
            )
            rig.executor.add_node(detector)
            detector.start()
            self.detectors[robot] = detector
        rig.accounted = lambda: min(map(self.received, ROBOTS))
        heard_by = 1 if own_topics else len(ROBOTS)
        rig.spin_until(
            lambda: (
                all(
                    publisher.get_subscription_count() == heard_by
                    for publisher in self._publishers.values()
                )
                and rig.clock.get_subscription_count() >= 2 * len(ROBOTS)  # rclpy's own, too
            )
        )

    def _publish_each(self, topic: str, message: Any) -> None:
        """The same for both robots, but for strikes."""
        for robot in ROBOTS:
            own = copy.deepcopy(message)
            if isinstance(own, Imu) and robot in self.struck:
                self.rig.hit(own, self._number)
            self._publishers[f'/{robot}{topic}'].publish(own)
        self.rig.sent += 1
        self._number += isinstance(message, Imu)

    def play(self, seconds: float, *, struck: tuple[str, ...] = ()) -> None:
        """Let time pass; where each robot has topics of its own, strike some of them."""
        self.struck, self._number = {*struck}, 0
        self.rig.play(seconds)

    def received(self, robot: str) -> int:
        watcher = self.detectors[robot]._watcher
        assert watcher is not None
        return int(watcher.session.counts.received)

    def told(self, robot: str, task: str = 'detector') -> tuple[bytes, str]:
        return self.rig.told_by(f'{robot}/taolora_detector', task)

    def ended(self, robot: str) -> list[int]:
        """Numbers of the events that have ended."""
        return [event.id for event in self.events[robot] if event.state == AnomalyEvent.END]

    def call(self, kind: type, name: str, question: Any) -> Any:
        return self.rig.call(kind, name, question)

    def warm_up(self) -> None:
        self.play(5.0)
        watching = (DiagnosticStatus.OK, 'watching')
        self.rig.spin_until(lambda: all(self.told(robot) == watching for robot in ROBOTS))
        assert self.events == {robot: [] for robot in ROBOTS}

    def close(self) -> None:
        for detector in self.detectors.values():
            detector.leave()
            detector.destroy_node()
        self.rig.executor.shutdown()


@pytest.fixture
def robots(rig: Any, model_path: Path) -> Iterator[Fleet]:
    """Each robot publishes topics of its own."""
    fleet = Fleet(rig, model_path, own_topics=True)
    yield fleet
    fleet.close()


@pytest.fixture
def witnesses(rig: Any, model_path: Path) -> Iterator[Fleet]:
    """Both detectors hear the same topics."""
    fleet = Fleet(rig, model_path, own_topics=False)
    yield fleet
    fleet.close()


def test_each_detector_finds_what_happens_to_its_own_robot_alone(robots: Fleet) -> None:
    robots.warm_up()
    robots.play(4.0, struck=('left',))
    robots.rig.spin_until(lambda: robots.ended('left') == [1])
    robots.play(4.0, struck=('right',))
    robots.rig.spin_until(lambda: robots.ended('right') == [1])
    robots.play(4.0, struck=('left',))
    robots.rig.spin_until(lambda: robots.ended('left') == [1, 2])
    assert robots.ended('right') == [1]
    assert {event.id for event in robots.events['right']} == {1}
    assert robots.rig.events == []  # in no namespace
    assert [robots.received(robot) for robot in ROBOTS] == [robots.rig.sent] * 2
    first, second = (robots.events[robot][0].onset for robot in ROBOTS)
    assert 3.5 < (second.sec - first.sec) + (second.nanosec - first.nanosec) * 1e-9 < 4.5


def test_services_parameters_and_an_end_concern_one_detector_alone(robots: Fleet) -> None:
    robots.warm_up()
    left, right = (robots.detectors[robot] for robot in ROBOTS)
    assert left.set_parameters([Parameter('detection.merge_s', value=0.7)])[0].successful
    assert (left._session.config.detection.merge_s, right._session.config.detection.merge_s) == (
        0.7,
        0.5,
    )
    answer = robots.call(Trigger, '/left/taolora_detector/rebase', Trigger.Request())
    assert answer.success
    robots.play(0.5)
    robots.rig.spin_until(lambda: robots.told('left')[1] == 'warming up')
    assert robots.told('right') == (DiagnosticStatus.OK, 'watching')
    left.trigger_deactivate()
    robots.rig.accounted = lambda: robots.received('right')
    robots.play(4.0, struck=ROBOTS)
    robots.rig.spin_until(lambda: robots.ended('right') == [1])
    robots.rig.spin_until(lambda: robots.told('left')[1] == 'not active')
    assert robots.events['left'] == []


def test_two_detectors_of_the_same_topics_find_the_same_and_one_can_be_off(
    witnesses: Fleet,
) -> None:
    witnesses.warm_up()
    rig = witnesses.rig
    rig.play(4.0, rig.hit)
    rig.spin_until(lambda: witnesses.ended('left') == witnesses.ended('right') == [1])
    left, right = (witnesses.events[robot] for robot in ROBOTS)
    assert [(e.state, e.onset, e.peak_score) for e in left] == [
        (e.state, e.onset, e.peak_score) for e in right
    ]
    off = SetBool.Request(data=False)
    assert witnesses.call(SetBool, '/left/taolora_detector/enable', off).success
    rig.play(4.0, rig.hit)
    rig.spin_until(lambda: witnesses.ended('right') == [1, 2])
    assert witnesses.ended('left') == [1]
    assert [witnesses.received(robot) for robot in ROBOTS] == [rig.sent] * 2
