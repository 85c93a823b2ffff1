from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import NS_PER_S, RawMessage
from taolora_ros.simulation.arm import JOINTS
from taolora_ros.simulation.faults import START_NS, FaultKind, PlannedFault
from taolora_ros.simulation.messages import messages
from taolora_ros.simulation.recording import Simulated, SimulationConfig, record

REGISTRY = TypeRegistry()


@pytest.fixture(scope='module')
def simulated() -> Simulated:
    dropout = PlannedFault(
        kind=FaultKind.SENSOR_DROPOUT, onset_s=1.0, duration_s=0.5, target='/wrench:*'
    )
    config = SimulationConfig(duration_s=3.0, planned=(dropout,))
    return record(config, progress=lambda share: None)


@pytest.fixture(scope='module')
def told(simulated: Simulated) -> list[RawMessage]:
    rng = np.random.default_rng(0)
    return list(messages(simulated.streams, simulated.faults, REGISTRY, rng))


def test_every_topic_has_its_rate_and_dropout_its_hole(told: list[RawMessage]) -> None:
    assert Counter(message.topic for message in told) == {
        '/joint_states': 300,
        '/imu/data': 600,
        '/wrench': 250,
        '/motor/temperature': 3,
        '/ground_truth/anomaly': 300,
        '/ground_truth/faults': 2,
    }


def test_messages_come_in_the_order_of_their_recording(told: list[RawMessage]) -> None:
    received = [message.receive_ns for message in told]
    assert received == sorted(received)


def test_numbers_stand_where_their_names_say(told: list[RawMessage], simulated: Simulated) -> None:
    values = {stream.topic: stream.values for stream in simulated.streams}
    for topic, number in (('/joint_states', 7), ('/imu/data', 7), ('/wrench', 7)):
        raw = [message for message in told if message.topic == topic][number]
        message = REGISTRY.deserialize(raw.data, raw.type_name)
        row = values[topic][number]
        if topic == '/joint_states':
            assert tuple(message.name) == JOINTS
            read = [*message.position, *message.velocity, *message.effort]
        elif topic == '/imu/data':
            turn = message.orientation
            read = [*_xyz(message.linear_acceleration), *_xyz(message.angular_velocity)]
            read += [turn.w, turn.x, turn.y, turn.z]
        else:
            read = [*_xyz(message.wrench.force), *_xyz(message.wrench.torque)]
        assert read == row.tolist()
        stamp = message.header.stamp.sec * NS_PER_S + message.header.stamp.nanosec
        assert 0 < raw.receive_ns - stamp < 2_000_000


def test_temperature_is_plausible(told: list[RawMessage]) -> None:
    for raw in told:
        if raw.topic == '/motor/temperature':
            message = REGISTRY.deserialize(raw.data, raw.type_name)
            assert 22.0 < message.temperature < 80.0


def test_ground_truth_marks_the_fault(told: list[RawMessage], simulated: Simulated) -> None:
    (fault,) = simulated.faults
    labels = [
        (raw.receive_ns, bool(REGISTRY.deserialize(raw.data, raw.type_name).data))
        for raw in told
        if raw.topic == '/ground_truth/anomaly'
    ]
    assert sum(label for _, label in labels) == 60  # half a second of silence and the recovery
    assert all((fault.onset_ns <= at < fault.end_ns) == label for at, label in labels)
    reports = [
        (raw.receive_ns, json.loads(REGISTRY.deserialize(raw.data, raw.type_name).data))
        for raw in told
        if raw.topic == '/ground_truth/faults'
    ]
    assert [(at - START_NS, report['state']) for at, report in reports] == [
        (1_000_000_000, 'onset'),
        (1_600_000_000, 'end'),
    ]


def _xyz(vector: object) -> list[float]:
    return [getattr(vector, axis) for axis in 'xyz']
