"""A machine that is struck now and then, and when: what a detector sees live.

Five movements are mixed into 21 channels, those of an IMU and of five joints. A blow shakes the
IMU for one row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import NS_PER_S, Floats

IMU_TOPIC, JOINT_TOPIC = '/imu/data', '/joint_states'
JOINTS = tuple(f'j{number}' for number in range(5))
JOINT_FIELDS = ('position', 'velocity', 'effort')
IMU_FIELDS = tuple(
    f'{vector}.{axis}' for vector in ('angular_velocity', 'linear_acceleration') for axis in 'xyz'
)
CHANNELS = (
    *(f'{IMU_TOPIC}:{field}' for field in IMU_FIELDS),
    *(f'{JOINT_TOPIC}:{field}[{joint}]' for field in JOINT_FIELDS for joint in JOINTS),
)
RATE_HZ = 100
PERIOD_NS = NS_PER_S // RATE_HZ
PATCH = 8  # rows a hop
HOP_NS = PATCH * PERIOD_NS

# After a blow the longest evidence is in alarm for 128 rows, and the event is open for 128 more.
SPACING_ROWS = 280
_LEAD_ROWS = 800  # warm-up, and filling of the windows
_TAIL_ROWS = 200

_SHAKEN = slice(3, 6)  # columns of the linear acceleration
_BLOW = 12.0  # deviations of a channel
_SOURCES = 5
_NOISE = 0.2


@dataclass(frozen=True, slots=True)
class BlowSchedule:
    """When each machine is struck: evenly, but at every row of a hop equally often."""

    count: int
    lead_rows: int = _LEAD_ROWS  # before the first

    @property
    def blows(self) -> tuple[int, ...]:
        """The rows with a blow."""
        within = np.random.default_rng(0).permutation(np.arange(self.count) % PATCH).tolist()
        return tuple(
            self.lead_rows + number * SPACING_ROWS + row for number, row in enumerate(within)
        )

    @property
    def rows(self) -> int:
        """How many there are in all."""
        return self.blows[-1] + _TAIL_ROWS


def namespace(number: int) -> str:
    """Of a machine and its detector in the graph."""
    return f'/machine{number}'


class StruckMachine:
    """Rows of a machine; another seed is another machine.

    Args:
        seed: of its movements and of how the channels mix them.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._hertz = rng.uniform(0.2, 5.0, _SOURCES)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, _SOURCES)
        mix = rng.normal(size=(_SOURCES, len(CHANNELS)))
        self._mix = mix / np.sqrt((mix**2).sum(axis=0) / 2.0)  # each channel of unit variance

    def rows(self, rng: np.random.Generator, first: int, count: int) -> Floats:
        """Rows [count, 21] from the row number `first` on, with fresh noise."""
        seconds = (first + np.arange(count)) / RATE_HZ
        sources = np.sin(2.0 * np.pi * np.outer(seconds, self._hertz) + self._phases)
        noisy: Floats = sources @ self._mix + _NOISE * rng.normal(size=(count, len(CHANNELS)))
        return noisy

    def struck(self, row: Floats) -> Floats:
        """A row [21] with a blow added."""
        hit = row.copy()
        hit[_SHAKEN] += _BLOW
        return hit
