"""The kinds of fault, what each does at which strength, and the record of one that happened."""

from __future__ import annotations

import enum
import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from taolora_ros.config import from_mapping
from taolora_ros.errors import ConfigError, nearest
from taolora_ros.samples import NS_PER_S
from taolora_ros.simulation.arm import JOINTS

_TABLE = Path(__file__).with_name('faults.yaml')
_AXES = ('x', 'y', 'z')

START_NS = 1_750_000_000 * NS_PER_S  # stamp of the first step; fixed, so that a seed fixes a bag

JOINT_TOPIC, IMU_TOPIC, WRENCH_TOPIC = '/joint_states', '/imu/data', '/wrench'
TEMPERATURE_TOPIC = '/motor/temperature'
CHANNELS: dict[str, tuple[str, ...]] = {
    JOINT_TOPIC: tuple(
        f'{JOINT_TOPIC}:{field}[{joint}]'
        for field in ('position', 'velocity', 'effort')
        for joint in JOINTS
    ),
    IMU_TOPIC: tuple(
        f'{IMU_TOPIC}:{field}.{axis}'
        for field in ('linear_acceleration', 'angular_velocity')
        for axis in _AXES
    ),
    WRENCH_TOPIC: tuple(
        f'{WRENCH_TOPIC}:wrench.{field}.{axis}' for field in ('force', 'torque') for axis in _AXES
    ),
    TEMPERATURE_TOPIC: (f'{TEMPERATURE_TOPIC}:temperature',),
}
"""The channels of each topic, in the order of a stream's columns."""


class FaultKind(enum.Enum):
    """What can go wrong."""

    COLLISION = 'collision'
    PAYLOAD_SLIP = 'payload_slip'
    FRICTION = 'friction'
    WEAKENING = 'weakening'
    BACKLASH = 'backlash'
    LOOSE_IMU = 'loose_imu'
    BEARING_SPALL = 'bearing_spall'
    SENSOR_FREEZE = 'sensor_freeze'
    SENSOR_DROPOUT = 'sensor_dropout'
    SENSOR_SPIKE = 'sensor_spike'
    SENSOR_DRIFT = 'sensor_drift'

    @property
    def is_physical(self) -> bool:
        """Whether it changes the arm, not only what a sensor tells."""
        return not self.value.startswith('sensor_')


@dataclass(frozen=True, kw_only=True)
class Magnitude:
    """A physical quantity that grows (or shrinks) with a fault's strength."""

    name: str
    weak: float
    full: float

    def at(self, strength: float) -> float:
        """Its value at a strength from 0 to 1."""
        return self.weak + strength * (self.full - self.weak)


@dataclass(frozen=True, kw_only=True)
class FaultTraits:
    """One kind's row of faults.yaml."""

    duration_s: tuple[float, ...]  # shortest and longest
    recovery_s: float
    targets: tuple[str, ...]
    channels: tuple[str, ...]
    magnitudes: tuple[Magnitude, ...]

    def at(self, strength: float) -> dict[str, float]:
        """Every magnitude by name at a strength from 0 to 1."""
        return {magnitude.name: magnitude.at(strength) for magnitude in self.magnitudes}

    def channels_of(self, target: str) -> tuple[str, ...]:
        """The concrete channels in which the fault shows when it strikes this target."""
        patterns = [
            re.escape(channel.replace('{target}', target)).replace(r'\*', '.*')
            for channel in self.channels
        ]
        return tuple(
            channel
            for channels in CHANNELS.values()
            for channel in channels
            if any(re.fullmatch(pattern, channel) for pattern in patterns)
        )


@functools.cache
def traits(kind: FaultKind) -> FaultTraits:
    """What faults.yaml says of a kind."""
    table: dict[str, Any] = yaml.safe_load(_TABLE.read_text(encoding='utf-8'))
    return from_mapping(FaultTraits, table[kind.value], kind.value)


@dataclass(frozen=True, kw_only=True)
class PlannedFault:
    """A fault that shall happen; the shape of an entry in a file of faults."""

    kind: FaultKind
    onset_s: float  # since the start
    duration_s: float  # how long it acts, without the recovery
    strength: float = 0.7  # 0 to 1
    target: str = ''  # one of the kind's targets; '' is the first

    def __post_init__(self) -> None:
        known = traits(self.kind).targets
        if not self.target:
            object.__setattr__(self, 'target', known[0])
        if self.target not in known:
            raise ConfigError(
                f'target: {self.kind.value} cannot strike {self.target!r}; '
                f'{nearest(self.target, known)}'
            )
        if not 0.0 <= self.strength <= 1.0:
            raise ConfigError(f'strength: {self.strength} is out of range; valid: 0 to 1')
        if self.onset_s < 0.0 or self.duration_s <= 0.0:
            raise ConfigError(
                f'onset_s {self.onset_s} and duration_s {self.duration_s}: '
                'a fault begins at 0 or later and lasts longer than 0'
            )

    @property
    def end_s(self) -> float:
        """When normal operation has resumed."""
        return self.onset_s + self.duration_s + traits(self.kind).recovery_s

    @property
    def magnitudes(self) -> dict[str, float]:
        """The physical magnitudes of this strength."""
        return traits(self.kind).at(self.strength)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that happened."""

    id: int
    kind: FaultKind
    onset_ns: int  # its first effect on the arm or on a signal
    end_ns: int  # normal operation has resumed
    strength: float
    target: str
    channels: tuple[str, ...]

    def report(self, state: str) -> str:
        """The JSON text published on `/ground_truth/faults` at 'onset' and 'end'."""
        return json.dumps(
            {
                'id': self.id,
                'kind': self.kind.value,
                'state': state,
                'onset_ns': self.onset_ns,
                'end_ns': self.end_ns,
                'strength': round(self.strength, 4),
                'target': self.target,
                'channels': list(self.channels),
            }
        )
