"""Real sensors: noise, rounding, a warming motor, and the faults of the sensors themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from taolora_ros.config import from_mapping
from taolora_ros.samples import NS_PER_S, Bools, Floats, Ints
from taolora_ros.simulation.arm import JOINTS
from taolora_ros.simulation.faults import (
    CHANNELS,
    IMU_TOPIC,
    JOINT_TOPIC,
    START_NS,
    TEMPERATURE_TOPIC,
    WRENCH_TOPIC,
    FaultKind,
    PlannedFault,
    traits,
)
from taolora_ros.simulation.physics import IMU_HZ, JOINT_HZ, Motions

_TABLE = Path(__file__).with_name('sensors.yaml')

# The shoulder motor: copper losses heat a thermal mass that cools to the room.
_ROOM = 22.0  # °C
_LOSS = 0.022  # W per (Nm)²
_RESISTANCE = 0.55  # K/W
_CAPACITY = 700.0  # J/K
_WARM_S = 10  # s; it starts as warm as work before any fault makes it in the long run


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well one quantity is measured: a value for all of its columns or one for each."""

    sigma: tuple[float, ...]  # standard deviation of white noise
    quantum: tuple[float, ...]  # step of the analog-digital converter
    span: tuple[float, ...]  # usual peak-to-peak range


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """All messages of one topic.

    Attributes:
        topic: its name.
        stamps_ns: [T] when each was measured.
        values: [T, n] in the order of `CHANNELS[topic]`; more columns may follow.
        is_sent: [T] false where the message never went out.
    """

    topic: str
    stamps_ns: Ints
    values: Floats
    is_sent: Bools


@functools.cache
def qualities() -> dict[str, Quality]:
    """What sensors.yaml says, by quantity."""
    table: dict[str, Any] = yaml.safe_load(_TABLE.read_text(encoding='utf-8'))
    return {name: from_mapping(Quality, row, name) for name, row in table.items()}


def measure(motions: Motions, rng: np.random.Generator) -> tuple[Stream, ...]:
    """What the sensors tell of ideal readings; noise is drawn alike for equal lengths."""

    def read(quantity: str, ideal: Floats) -> Floats:
        quality = qualities()[quantity]
        noisy = ideal + rng.normal(0.0, 1.0, ideal.shape) * quality.sigma
        rounded: Floats = np.round(noisy / quality.quantum) * quality.quantum
        return rounded

    joints = [
        read('position', motions.positions),
        read('velocity', motions.velocities),
        read('effort', motions.efforts),
    ]
    wrench = [read('force', motions.wrenches[:, :3]), read('torque', motions.wrenches[:, 3:])]
    orientation = read('orientation', motions.orientations)
    imu = [
        read('linear_acceleration', motions.inertial[:, :3]),
        read('angular_velocity', motions.inertial[:, 3:]),
        orientation / np.linalg.norm(orientation, axis=1, keepdims=True),
    ]
    warmth = warm_up(motions.efforts[:, JOINTS.index('shoulder')])
    return (
        _stream(JOINT_TOPIC, np.hstack(joints), JOINT_HZ),
        _stream(IMU_TOPIC, np.hstack(imu), IMU_HZ),
        _stream(WRENCH_TOPIC, np.hstack(wrench), JOINT_HZ),
        _stream(TEMPERATURE_TOPIC, read('temperature', warmth[:, None]), 1),
    )


def warm_up(efforts: Floats) -> Floats:
    """A motor's temperature [S] in °C at each full second, from its torque [T] at 100 Hz.

    C dT/dt = k τ² − (T − room) / R
    """
    heat = _LOSS * efforts[: len(efforts) // JOINT_HZ * JOINT_HZ].reshape(-1, JOINT_HZ) ** 2
    power = heat.mean(axis=1)
    warmth = np.empty(len(power))
    state = _ROOM + _RESISTANCE * float(power[:_WARM_S].mean()) if len(power) else _ROOM
    for second, watts in enumerate(power):
        state += (watts - (state - _ROOM) / _RESISTANCE) / _CAPACITY
        warmth[second] = state
    return warmth


def corrupt(
    streams: Sequence[Stream], fault: PlannedFault, rng: np.random.Generator
) -> tuple[Stream, ...]:
    """The streams after a fault of a sensor, whose target names the channels it strikes."""
    struck = traits(fault.kind).channels_of(fault.target)
    topic = fault.target.partition(':')[0]
    return tuple(
        _corrupt(stream, fault, struck, rng) if stream.topic == topic else stream
        for stream in streams
    )


def _corrupt(
    stream: Stream, fault: PlannedFault, struck: Sequence[str], rng: np.random.Generator
) -> Stream:
    onset, end = (
        START_NS + round(seconds * NS_PER_S)
        for seconds in (fault.onset_s, fault.onset_s + fault.duration_s)
    )
    rows = np.flatnonzero((stream.stamps_ns >= onset) & (stream.stamps_ns < end))
    columns = np.array([CHANNELS[stream.topic].index(channel) for channel in struck])
    if not len(rows):
        return stream
    values, is_sent = stream.values.copy(), stream.is_sent.copy()
    if fault.kind is FaultKind.SENSOR_DROPOUT:
        is_sent[rows] = False
    else:
        values[np.ix_(rows, columns)] = _DISTORTIONS[fault.kind](
            values[:, columns], rows, fault, _spans(struck), rng
        )
    return Stream(stream.topic, stream.stamps_ns, values, is_sent)


def _freeze(
    values: Floats, rows: Ints, fault: PlannedFault, spans: Floats, rng: np.random.Generator
) -> Floats:
    """Repeat the last value before."""
    return np.repeat(values[max(int(rows[0]) - 1, 0)][None, :], len(rows), axis=0)


def _spike(
    values: Floats, rows: Ints, fault: PlannedFault, spans: Floats, rng: np.random.Generator
) -> Floats:
    """Throw single samples off, the first at the onset."""
    count = min(round(fault.magnitudes['count']), len(rows))
    hit = np.concatenate(([0], rng.choice(np.arange(1, len(rows)), count - 1, replace=False)))
    signs = rng.choice([-1.0, 1.0], (count, 1))
    spiked = values[rows]
    spiked[hit] += signs * fault.magnitudes['height'] * spans * rng.uniform(0.7, 1.3, (count, 1))
    return spiked


def _drift(
    values: Floats, rows: Ints, fault: PlannedFault, spans: Floats, rng: np.random.Generator
) -> Floats:
    """Add a bias that grows steadily, until the sensor is set to zero again."""
    ramp = np.linspace(0.0, 1.0, len(rows))[:, None] * rng.choice([-1.0, 1.0])
    drifted: Floats = values[rows] + ramp * fault.magnitudes['height'] * spans
    return drifted


_Distortion = Callable[[Floats, Ints, PlannedFault, Floats, np.random.Generator], Floats]
_DISTORTIONS: dict[FaultKind, _Distortion] = {
    FaultKind.SENSOR_FREEZE: _freeze,
    FaultKind.SENSOR_SPIKE: _spike,
    FaultKind.SENSOR_DRIFT: _drift,
}


def _spans(channels: Sequence[str]) -> Floats:
    """The usual range of each channel [n]."""
    spans = np.empty(len(channels))
    for index, channel in enumerate(channels):
        path = channel.partition(':')[2].removeprefix('wrench.')
        quantity = path.partition('[')[0].partition('.')[0]
        values = qualities()[quantity].span
        joint = path.partition('[')[2].rstrip(']')
        spans[index] = values[JOINTS.index(joint)] if len(values) > 1 else values[0]
    return spans


def _stream(topic: str, values: Floats, rate_hz: int) -> Stream:
    stamps = START_NS + (np.arange(len(values)) + 1) * (NS_PER_S // rate_hz)
    return Stream(topic, stamps, values, np.ones(len(values), dtype=np.bool_))
