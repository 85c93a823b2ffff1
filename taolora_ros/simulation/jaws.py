"""The jaws: they close on the payload, center it, and let it go."""

from __future__ import annotations

import mujoco
import numpy as np

from taolora_ros.samples import Floats
from taolora_ros.simulation.arm import STEP_HZ, Arm
from taolora_ros.simulation.work import Grip

_CLOSING_S = 0.25
_OPENING_S = 0.15
_SOFTEST = 0.01  # impedance of jaws that barely touch
# The payload stands upright and square to the world when the jaws point down.
_SEAT = np.array([0.0, 0.0, 0.0, np.sqrt(0.5), 0.0, -np.sqrt(0.5), 0.0])


class Jaws:
    """Opens and closes on time.

    Closing, the jaws press harder and harder and draw the payload from where it lies into the
    seat; opening, they yield until they let go.
    """

    def __init__(self, arm: Arm, grips: list[Grip]) -> None:
        self._arm = arm
        self._steps = {round(grip.time_s * STEP_HZ): grip.closes for grip in grips}
        self._weld = arm.equality('grip')
        self._jaws = arm.model.body('jaws').id
        self._payload = arm.model.body('payload').id
        self._impedance: Floats = arm.model.eq_solimp[self._weld, :2].copy()
        self._found: Floats = _SEAT
        self._closes: bool | None = None  # None while nothing moves
        self._since = 0

    def advance(self, step: int) -> None:
        """Act before the integration of one step."""
        if step in self._steps:
            self._closes = self._steps[step]
            self._since = step
            if self._closes:
                self._found = self._relative_pose()
                self._arm.data.eq_active[self._weld] = 1
        if self._closes is None:
            return
        share = (step - self._since) / STEP_HZ / (_CLOSING_S if self._closes else _OPENING_S)
        eased = min(1.0, share) ** 2 * (3.0 - 2.0 * min(1.0, share))
        if self._closes:
            self._draw(eased)
        self._press(eased if self._closes else 1.0 - eased)
        if share >= 1.0:
            self._arm.data.eq_active[self._weld] = self._closes
            self._closes = None

    def _press(self, share: float) -> None:
        impedance = _SOFTEST + share * (self._impedance - _SOFTEST)
        self._arm.model.eq_solimp[self._weld, :2] = impedance

    def _draw(self, share: float) -> None:
        pose = self._found + share * (_SEAT - self._found)
        pose[3:] /= np.linalg.norm(pose[3:])
        self._arm.model.eq_data[self._weld, 3:10] = pose

    def _relative_pose(self) -> Floats:
        data = self._arm.data
        inverse, conjugate = np.zeros(3), np.zeros(4)
        mujoco.mju_negPose(inverse, conjugate, data.xpos[self._jaws], data.xquat[self._jaws])
        pose = np.zeros(7)
        mujoco.mju_mulPose(
            pose[:3],
            pose[3:],
            inverse,
            conjugate,
            data.xpos[self._payload],
            data.xquat[self._payload],
        )
        if pose[3:] @ _SEAT[3:] < 0.0:
            pose[3:] = -pose[3:]
        return pose
