"""The work cycle: where the joints shall be at any time, and when the jaws close and open."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Bools, Floats

# Lengths in arm.xml, in m.
_SHOULDER_HEIGHT = 0.2
_UPPER_ARM = 0.4
_FOREARM = 0.38
_HAND = 0.18  # from the wrist's pitch axis to the jaws

_LEFT = (0.45, 0.35)
_RIGHT = (0.45, -0.35)
_GRIP_HEIGHT = 0.13  # of the payload's center on a stand
_CLEARANCE = 0.15
_SPEED = 1.5  # peak joint speed, rad/s
_SHORTEST_MOVE_S = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Grip:
    """The jaws close on the payload or let go of it."""

    time_s: float
    closes: bool


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Reference angles, velocities and accelerations, each [T, 6], in rad, rad/s and rad/s²."""

    angles: Floats
    velocities: Floats
    accelerations: Floats


class WorkPlan:
    """Minimum-jerk moves between poses, with pauses; no two cycles are quite alike.

    Attributes:
        grips: closings and openings of the jaws, in time.
        cycle_ends_s: when each cycle of pick, carry and place is over.
    """

    def __init__(self, duration_s: float, rng: np.random.Generator) -> None:
        self.grips: list[Grip] = []
        self.cycle_ends_s: list[float] = []
        self._starts: list[float] = []  # of each move
        self._spans: list[float] = []
        self._poses: list[Floats] = [_rest_pose()]
        self._rng = rng
        self._time = 1.0  # stands still at first
        source, target = _LEFT, _RIGHT
        while self._time < duration_s:
            self._append_cycle(source, target)
            source, target = target, source

        self._start_array = np.array(self._starts)
        self._span_array = np.array(self._spans)
        self._pose_array = np.array(self._poses)  # [moves + 1, 6]

    def sample(self, times_s: Floats) -> Motion:
        """The reference at times [T], in s since the start.

        Minimum jerk: s(u) = 10u³ − 15u⁴ + 6u⁵ (Flash and Hogan, 1985).
        """
        move = np.maximum(np.searchsorted(self._start_array, times_s, side='right') - 1, 0)
        span = self._span_array[move][:, None]
        u = np.clip((times_s - self._start_array[move])[:, None] / span, 0.0, 1.0)
        start, step = self._pose_array[move], self._pose_array[move + 1] - self._pose_array[move]
        return Motion(
            start + step * (u**3 * (10.0 - 15.0 * u + 6.0 * u**2)),
            step / span * (30.0 * u**2 * (1.0 - u) ** 2),
            step / span**2 * (60.0 * u * (1.0 - u) * (1.0 - 2.0 * u)),
        )

    def is_carrying(self, times_s: Floats) -> Bools:
        """Whether the jaws hold the payload at times [T]."""
        edges = np.array([grip.time_s for grip in self.grips])
        carrying: Bools = np.searchsorted(edges, times_s, side='right') % 2 == 1
        return carrying

    def _append_cycle(self, source: tuple[float, float], target: tuple[float, float]) -> None:
        picked = self._reach(*source)
        placed = self._reach(*target)
        self._move(picked.above)
        self._move(picked.at)
        self._pause(0.15)
        self.grips.append(Grip(self._time, closes=True))
        self._pause(0.4)
        self._move(picked.above)
        self._move(self._vary(_inspection_pose(), 0.03))
        self._pause(0.2)
        self._move(placed.above)
        self._move(placed.at)
        self._pause(0.15)
        self.grips.append(Grip(self._time, closes=False))
        self._pause(0.3)
        self._move(placed.above)
        self._move(self._vary(_rest_pose(), 0.03))
        self._pause(0.3)
        self.cycle_ends_s.append(self._time)

    def _reach(self, x: float, y: float) -> _Reach:
        dx, dy = self._rng.normal(0.0, 0.002, 2)
        return _Reach(
            at=_tool_down_pose(x + dx, y + dy, _GRIP_HEIGHT + 0.001),
            above=self._vary(_tool_down_pose(x + dx, y + dy, _GRIP_HEIGHT + _CLEARANCE), 0.01),
        )

    def _vary(self, pose: Floats, spread: float) -> Floats:
        varied: Floats = pose + self._rng.normal(0.0, spread, 6)
        return varied

    def _move(self, pose: Floats) -> None:
        longest = float(np.abs(pose - self._poses[-1]).max())
        # The peak of a minimum-jerk move is 15/8 of its mean speed.
        span = max(_SHORTEST_MOVE_S, 1.875 * longest / _SPEED) * self._rng.uniform(0.93, 1.07)
        self._starts.append(self._time)
        self._spans.append(span)
        self._poses.append(pose)
        self._time += span + 0.03

    def _pause(self, seconds: float) -> None:
        self._time += seconds * self._rng.uniform(0.8, 1.2)


@dataclass(frozen=True, slots=True, eq=False)
class _Reach:
    at: Floats
    above: Floats


def _tool_down_pose(x: float, y: float, z: float) -> Floats:
    """Joint angles [6] that bring the jaws to a point in m, pointing down, square to the world."""
    radius, height = math.hypot(x, y), z + _HAND - _SHOULDER_HEIGHT
    reach = math.hypot(radius, height)
    inner = math.acos((_UPPER_ARM**2 + _FOREARM**2 - reach**2) / (2 * _UPPER_ARM * _FOREARM))
    lift = math.acos((_UPPER_ARM**2 + reach**2 - _FOREARM**2) / (2 * _UPPER_ARM * reach))
    shoulder = -math.atan2(height, radius) - lift
    elbow = math.pi - inner
    yaw = math.atan2(y, x)
    return np.array([yaw, shoulder, elbow, 0.0, math.pi / 2 - shoulder - elbow, yaw])


def _inspection_pose() -> Floats:
    pose = _tool_down_pose(0.48, 0.0, 0.42)
    pose += (0.0, 0.0, 0.0, 0.45, -0.35, 0.9)
    return pose


def _rest_pose() -> Floats:
    pose = _tool_down_pose(0.38, 0.0, 0.38)
    pose += (0.0, 0.0, 0.0, -0.35, -0.2, -0.4)
    return pose
