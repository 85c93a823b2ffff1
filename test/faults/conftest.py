"""A live detector over DDS, and a rotor that feeds it under simulated time, as fast as it goes."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the nodes need ROS 2')
pytest.importorskip('taolora_ros.srv', reason='the services are not built; run `make setup`')

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from taolora_ros.msg import AnomalyEvent

from taolora_ros.nodes.conversions import time_message
from taolora_ros.nodes.detector import Detector
from taolora_ros.samples import NS_PER_S

_spec = importlib.util.spec_from_file_location(
    'nodes_conftest', Path(__file__).parents[1] / 'nodes' / 'conftest.py'
)
assert _spec is not None
assert _spec.loader is not None
_nodes = importlib.util.module_from_spec(_spec)
sys.modules['nodes_conftest'] = _nodes
_spec.loader.exec_module(_nodes)
rotor_settings, model, model_path = _nodes.rotor_settings, _nodes.model, _nodes.model_path
start, output, START_NS = _nodes.start, _nodes.output, _nodes.START_NS

WAIT_S = 40.0
RELIABLE = QoSProfile(depth=2000, reliability=ReliabilityPolicy.RELIABLE)
# So little normal data supports no rate; the strikes are far beyond this threshold.
USUAL = {
    'use_sim_time': True,
    'status_s': 0.1,
    'detection.false_alarms_per_hour': 0.01,
    'intake.backlog_s': 600.0,  # a machine that stalls is no fault here
}
TOPICS = {'/rotor/imu': Imu, '/rotor/joints': JointState}


class Rig:
    """A rotor's publishers and a detector in one process, each a participant of its own."""

    def __init__(self, domain: int) -> None:
        self._domain = domain
        self._contexts: list[Context] = []
        self._nodes: list[Node] = []
        self.executor: SingleThreadedExecutor | None = None
        self.detector: Detector | None = None
        self.node = self.participant('rotor')
        self.clock = self.node.create_publisher(Clock, '/clock', RELIABLE)
        self.publishers = {
            topic: self.node.create_publisher(kind, topic, RELIABLE)
            for topic, kind in TOPICS.items()
        }
        self.events: list[AnomalyEvent] = []
        self.arrays: list[DiagnosticArray] = []
        self.node.create_subscription(
            AnomalyEvent, '/taolora/anomalies', self.events.append, RELIABLE
        )
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self.arrays.append, 100)
        self._listening = SingleThreadedExecutor(context=self._contexts[0])
        self._listening.add_node(self.node)
        self._generator = np.random.default_rng(3)
        self.now_ns = START_NS
        self.step = 0
        self.sent = 0

    def participant(self, name: str) -> Node:
        context = Context()
        rclpy.init(args=[], context=context, domain_id=self._domain)
        self._contexts.append(context)
        self._nodes.append(rclpy.create_node(name, context=context))
        return self._nodes[-1]

    def detect(self, parameters: Mapping[str, object]) -> None:
        """Start the detector and, if it starts to watch, wait until it hears the rotor."""
        words = ['--ros-args']
        for name, value in {**USUAL, **parameters}.items():
            words += ['-p', f'{name}:={str(value).lower() if isinstance(value, bool) else value}']
        rclpy.init(args=words, domain_id=self._domain)
        self.detector = Detector()
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.detector)
        self.detector.start()
        if not self.detector._options.autostart:
            return
        is_simulated = self.detector.get_parameter('use_sim_time').value
        everybody = [*self.publishers.values(), *([self.clock] if is_simulated else [])]
        self.spin_until(lambda: all(each.get_subscription_count() for each in everybody))

    def spin_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, f'waited in vain; {self.told("input")}'
            if self.executor is not None:
                self.executor.spin_once(timeout_sec=0.01)
            self._listening.spin_once(timeout_sec=0.0 if self.executor is not None else 0.01)

    def play(self, seconds: float, change: Callable[[Imu, int], Any] | None = None) -> None:
        """Publish so much of a normal rotor, each message after `change`; wait until it's read."""
        for number in range(round(seconds * 100)):
            angle = 2 * np.pi * self.step / 100.0
            x, y = np.sin(5 * angle), np.cos(8 * angle)
            imu = Imu()
            imu.header.stamp = time_message(self.now_ns)
            imu.linear_acceleration.x = float(x + 0.1 * self._generator.normal())
            imu.linear_acceleration.y = float(y + 0.1 * self._generator.normal())
            if change is not None:
                change(imu, number)
            self.clock.publish(Clock(clock=time_message(self.now_ns + 1_000_000)))
            self.publish('/rotor/imu', imu)
            if self.step % 2 == 0:
                effort = 1.0 + 0.05 * self._generator.normal()
                joints = JointState(name=['shaft'], effort=[effort])
                joints.header.stamp = imu.header.stamp
                self.publish('/rotor/joints', joints)
            self.step += 1
            self.now_ns += NS_PER_S // 100
            if number % 50 == 49:
                self.settle()
        self.settle()

    def publish(self, topic: str, message: Any) -> None:
        if self.publishers[topic].get_subscription_count():
            self.publishers[topic].publish(message)
            self.sent += 1

    def settle(self) -> None:
        """Wait until everything that was sent is accounted for."""
        self.spin_until(lambda: self.accounted() >= self.sent)

    def pause(self) -> None:
        """Wait for the next report: a detector in another process has had time to read."""
        known = len(self.arrays)
        self.spin_until(lambda: len(self.arrays) > known)

    def accounted(self) -> int:
        assert self.detector is not None
        watcher = self.detector._watcher
        assert watcher is not None
        intake = watcher.intake
        received = watcher.session.counts.received
        return int(received + intake.lost + intake.undated + intake.oversized)

    def hit(self, imu: Imu, number: int) -> None:
        """Strike the rotor half a second after `play` begins."""
        age = number - 50
        if 0 <= age < 30:
            imu.linear_acceleration.y += 8.0 * float(
                np.exp(-age / 6.0) * np.cos(2 * np.pi * age * 0.3)
            )

    def find(self) -> None:
        """Strike it; the detector has to notice."""
        known = {event.id for event in self.events}
        self.play(4.0, self.hit)
        self.spin_until(
            lambda: any(
                event.id not in known and event.state == AnomalyEvent.END for event in self.events
            )
        )

    def told(self, task: str) -> tuple[bytes, str]:
        """Level and message of the newest report on a task."""
        return self.told_by('taolora_detector', task)

    def told_by(self, node: str, task: str) -> tuple[bytes, str]:
        """The same of one detector among several."""
        for array in reversed(self.arrays):
            for status in array.status:
                if status.name == f'{node}: {task}':
                    return status.level, status.message
        return b'', 'nothing'

    def await_report(self, task: str, said: str) -> None:
        """Wait until a task reports something."""
        self.spin_until(lambda: said in self.told(task)[1])

    def value(self, task: str, key: str) -> str:
        for status in self.arrays[-1].status:
            if status.name.endswith(f': {task}'):
                return next(pair.value for pair in status.values if pair.key == key)
        raise KeyError(task)

    def onsets(self) -> int:
        return sum(event.state == AnomalyEvent.ONSET for event in self.events)

    def call(self, kind: type, name: str, question: Any) -> Any:
        path = name if name.startswith('/') else f'/taolora_detector/{name}'
        client = self.node.create_client(kind, path)
        self.spin_until(client.service_is_ready)
        answers, asked = [client.call_async(question)], time.monotonic()

        def is_answered() -> bool:  # a server that has just come up may lose its answer
            nonlocal asked
            if time.monotonic() - asked > 10.0:
                answers.append(client.call_async(question))
                asked = time.monotonic()
            return any(future.done() for future in answers)

        self.spin_until(is_answered)
        self.node.destroy_client(client)
        return next(future.result() for future in answers if future.done())

    def close(self) -> None:
        if self.detector is not None and self.executor is not None:
            self.detector.leave()
            self.executor.shutdown()
            self.detector.destroy_node()
        rclpy.try_shutdown()
        self._listening.shutdown()
        for node in self._nodes:
            node.destroy_node()  # its publishers must be gone when the next test looks around
        for context in self._contexts:
            context.try_shutdown()


@pytest.fixture
def rig(dds_domain: int) -> Iterator[Rig]:
    rig = Rig(dds_domain)
    yield rig
    rig.close()


@pytest.fixture
def watching(rig: Rig, model_path: Path) -> Rig:
    """A detector that has warmed up and finds nothing unusual."""
    rig.detect({'model': model_path})
    rig.play(5.0)
    rig.await_report('detector', 'watching')
    assert rig.onsets() == 0
    return rig
