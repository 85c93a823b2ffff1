"""Streams of numbers as serialized ROS messages.

Messages of one topic differ in numbers alone: one is serialized as a pattern, and the numbers of
the others are written over its bytes.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import NS_PER_S, Floats, Ints, RawMessage
from taolora_ros.simulation.arm import JOINTS
from taolora_ros.simulation.faults import (
    IMU_TOPIC,
    JOINT_TOPIC,
    TEMPERATURE_TOPIC,
    WRENCH_TOPIC,
    Fault,
)
from taolora_ros.simulation.sensors import Stream

FAULT_TOPIC = '/ground_truth/faults'
LABEL_TOPIC = '/ground_truth/anomaly'
_FAULT_TYPE = 'std_msgs/msg/String'
_LABEL_TYPE = 'std_msgs/msg/Bool'
_TYPES = {
    JOINT_TOPIC: 'sensor_msgs/msg/JointState',
    IMU_TOPIC: 'sensor_msgs/msg/Imu',
    WRENCH_TOPIC: 'geometry_msgs/msg/WrenchStamped',
    TEMPERATURE_TOPIC: 'sensor_msgs/msg/Temperature',
}

_SHORTEST_DELAY_NS, _LONGEST_DELAY_NS = 200_000, 1_500_000  # from measurement to recorder
_MARK = 1.2345e211  # numbers that no other bytes of a message look like
_STAMP_AT = 4  # of every Header, after the encapsulation


def messages(
    streams: Sequence[Stream],
    faults: Sequence[Fault],
    registry: TypeRegistry,
    rng: np.random.Generator,
) -> Iterator[RawMessage]:
    """Every message in the order of its recording.

    Args:
        streams: what the sensors told.
        faults: what is published as ground truth.
        registry: serializes.
        rng: of the time that a message takes to the recorder.
    """
    labels = next(stream for stream in streams if stream.topic == JOINT_TOPIC).stamps_ns
    sources = [_sensor_messages(stream, registry, rng) for stream in streams]
    sources.append(_label_messages(labels, faults, registry))
    sources.append(_fault_messages(faults, registry))
    return heapq.merge(*sources, key=operator.attrgetter('receive_ns'))


def _sensor_messages(
    stream: Stream, registry: TypeRegistry, rng: np.random.Generator
) -> Iterator[RawMessage]:
    delays = rng.integers(_SHORTEST_DELAY_NS, _LONGEST_DELAY_NS, len(stream.stamps_ns))
    type_name = _TYPES[stream.topic]
    patterns = _serialized(type_name, _LAYOUTS[stream.topic], stream, registry)
    for row in np.flatnonzero(stream.is_sent):
        received = int(stream.stamps_ns[row] + delays[row])
        yield RawMessage(stream.topic, type_name, patterns[row].tobytes(), received)


def _serialized(
    type_name: str,
    layout: Callable[[Sequence[float]], dict[str, Any]],
    stream: Stream,
    registry: TypeRegistry,
) -> npt.NDArray[np.uint8]:
    """Every message of a stream as bytes [T, n]."""
    count, width = stream.values.shape
    marks = _MARK * (1.0 + np.arange(width) / 64.0)
    pattern = bytes(registry.serialize(registry.make(type_name, layout(list(marks))), type_name))
    rows = np.tile(np.frombuffer(pattern, dtype=np.uint8), (count, 1))
    seconds, nanoseconds = np.divmod(stream.stamps_ns, NS_PER_S)
    stamps = np.stack([seconds, nanoseconds], axis=1).astype('<u4')
    rows[:, _STAMP_AT : _STAMP_AT + 8] = stamps.view(np.uint8)
    for column, mark in enumerate(marks):
        at = pattern.index(np.float64(mark).tobytes())
        values: Floats = np.ascontiguousarray(stream.values[:, column], dtype='<f8')
        rows[:, at : at + 8] = values.view(np.uint8).reshape(count, 8)
    return rows


def _label_messages(
    stamps_ns: Ints, faults: Sequence[Fault], registry: TypeRegistry
) -> Iterator[RawMessage]:
    texts = [
        bytes(registry.serialize(registry.make(_LABEL_TYPE, {'data': state}), _LABEL_TYPE))
        for state in (False, True)
    ]
    is_acting = np.zeros(len(stamps_ns), dtype=np.bool_)
    for fault in faults:
        is_acting |= (stamps_ns >= fault.onset_ns) & (stamps_ns < fault.end_ns)
    for stamp, acting in zip(stamps_ns.tolist(), is_acting.tolist(), strict=True):
        yield RawMessage(LABEL_TOPIC, _LABEL_TYPE, texts[acting], stamp)


def _fault_messages(faults: Sequence[Fault], registry: TypeRegistry) -> Iterator[RawMessage]:
    for fault in faults:
        for state, stamp in (('onset', fault.onset_ns), ('end', fault.end_ns)):
            message = registry.make(_FAULT_TYPE, {'data': fault.report(state)})
            data = bytes(registry.serialize(message, _FAULT_TYPE))
            yield RawMessage(FAULT_TOPIC, _FAULT_TYPE, data, stamp)


def _joint_state(numbers: Sequence[float]) -> dict[str, Any]:
    n = len(JOINTS)
    return {
        'header': {'frame_id': 'base_link'},
        'name': list(JOINTS),
        'position': numbers[:n],
        'velocity': numbers[n : 2 * n],
        'effort': numbers[2 * n :],
    }


def _imu(numbers: Sequence[float]) -> dict[str, Any]:
    return {
        'header': {'frame_id': 'tool_imu'},
        'linear_acceleration': _vector(numbers[:3]),
        'angular_velocity': _vector(numbers[3:6]),
        'orientation': dict(zip('wxyz', numbers[6:], strict=True)),
    }


def _wrench(numbers: Sequence[float]) -> dict[str, Any]:
    wrench = {'force': _vector(numbers[:3]), 'torque': _vector(numbers[3:])}
    return {'header': {'frame_id': 'wrist_ft'}, 'wrench': wrench}


def _temperature(numbers: Sequence[float]) -> dict[str, Any]:
    return {'header': {'frame_id': 'shoulder_motor'}, 'temperature': numbers[0]}


def _vector(numbers: Sequence[float]) -> dict[str, float]:
    return dict(zip('xyz', numbers, strict=True))


_LAYOUTS: dict[str, Callable[[Sequence[float]], dict[str, Any]]] = {
    JOINT_TOPIC: _joint_state,
    IMU_TOPIC: _imu,
    WRENCH_TOPIC: _wrench,
    TEMPERATURE_TOPIC: _temperature,
}
