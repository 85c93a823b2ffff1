"""The jaws: they close on the payload, center it, and let it go."""

from __future__ import annotations

import mujoco
import numpy as np

from taolora_ros.samples import Floats
from taolora_ros.simulation.arm import STEP_HZ, Arm
from taolora_ros.simulation.work import Grip

_CLOSING_S = 0.2
# The payload stands upright and square to the world when the jaws point down.
_SEAT = np.array([0.0, 0.0, 0.0, np.sqrt(0.5), 0.0, -np.sqrt(0.5), 0.0])


class Jaws:
    """Opens and closes on time; closing draws the payload from where it lies into the seat."""

    def __init__(self, arm: Arm, grips: list[Grip]) -> None:
        self._arm = arm
        self._steps = {round(grip.time_s * STEP_HZ): grip.closes for grip in grips}
        self._weld = arm.equality('grip')
        self._jaws = arm.model.body('jaws').id
        self._payload = arm.model.body('payload').id
        self._found: Floats = _SEAT
        self._closed_at: int | None = None

    def advance(self, step: int) -> None:
        """Act before the integration of one step."""
        closes = self._steps.get(step)
        if closes is not None:
            self._arm.data.eq_active[self._weld] = closes
            self._closed_at = step if closes else None
            self._found = self._relative_pose()
        if self._closed_at is not None:
            share = (step - self._closed_at) / (_CLOSING_S * STEP_HZ)
            if share <= 1.0:
                self._hold(share)
            else:
                self._closed_at = None

    def _hold(self, share: float) -> None:
        eased = share**2 * (3.0 - 2.0 * share)
        pose = self._found + eased * (_SEAT - self._found)
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
