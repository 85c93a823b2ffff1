"""What the drives are told: the reference plus what the arm's own model says it will take."""

from __future__ import annotations

import mujoco
import numpy as np

from taolora_ros.samples import Floats
from taolora_ros.simulation.arm import STEP_HZ, Arm
from taolora_ros.simulation.work import WorkPlan

_STRIDE = 10  # steps between two evaluations of the inverse dynamics

_AHEAD_S = 0.04  # over which the direction of a sweep is taken
_HITTING = 0.25  # m/s at which something in the way is hit, not nudged
_SIDEWAYS = 0.7  # smallest share of the velocity across the part's long axis
_GAP = 0.002  # m between the obstacle and the arm when it is put in the way
_PARTS = ('upper_arm', 'forearm', 'wrist', 'hand', 'tool')
_HELD_RADIUS = 0.055  # m around the payload's center


class Control:
    """Position commands with velocity and torque feedforward.

    The feedforward knows the empty arm without friction, as a drive's model does; payload and
    friction are left to the position loop.
    """

    def __init__(self, plan: WorkPlan) -> None:
        self._plan = plan
        self._arm = Arm()
        self._arm.model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)

    def commands(self, first: int, count: int) -> Floats:
        """Set points [count, 6] in rad of the position actuators, from step `first` on."""
        steps = first + np.arange(count)
        motion = self._plan.sample(steps / STEP_HZ)
        sparse = first + np.arange(0, count + _STRIDE, _STRIDE)
        torques = self._torques(sparse / STEP_HZ)
        commands: Floats = motion.angles + motion.velocities * (
            self._arm.damping / self._arm.stiffness
        )
        for joint in range(commands.shape[1]):
            ahead = np.interp(steps, sparse, torques[:, joint])
            commands[:, joint] += ahead / self._arm.stiffness[joint]
        return commands

    def track(self, body: str, times_s: Floats) -> Floats:
        """Where a body's main geom shall be at times [T]: positions [T, 3] in m."""
        geom = self._arm.model.geom(body).id
        positions = np.empty((len(times_s), 3))
        for row, angles in enumerate(self._plan.sample(times_s).angles):
            self._arm.pose(angles)
            mujoco.mj_kinematics(self._arm.model, self._arm.data)
            positions[row] = self._arm.data.geom_xpos[geom]
        return positions

    def obstruct(self, body: str, time_s: float) -> Floats | None:
        """Where the obstacle's center [3] has to be for a body to run into it at a time.

        Returns:
            None where the body does not sweep sideways fast enough to hit it, or where the
            obstacle would stand in another part of the arm.
        """
        before, after = self.track(body, time_s + np.array([0.0, _AHEAD_S]))
        velocity = (after - before) / _AHEAD_S
        self.track(body, np.array([time_s]))  # the arm stands as it will then
        model, data = self._arm.model, self._arm.data
        axis = data.geom_xmat[model.geom(body).id].reshape(3, 3)[:, 2]
        sideways = velocity - (axis @ velocity) * axis
        speed = float(np.linalg.norm(sideways))
        if speed < max(_HITTING, _SIDEWAYS * float(np.linalg.norm(velocity))):
            return None
        obstacle = model.geom('obstacle')
        reach = obstacle.size[0] + model.geom(body).size[0] + _GAP
        center: Floats = before + sideways / speed * reach
        self._arm.place_obstacle(center)
        mujoco.mj_kinematics(model, data)
        for part in _PARTS:
            far = 2.0 * _GAP
            if mujoco.mj_geomDistance(model, data, obstacle.id, model.geom(part).id, far, None) < (
                0.5 * _GAP
            ):
                return None
        held = data.xpos[model.body('jaws').id]
        return center if np.linalg.norm(center - held) > obstacle.size[0] + _HELD_RADIUS else None

    def _torques(self, times_s: Floats) -> Floats:
        motion = self._plan.sample(times_s)
        arm, data = self._arm, self._arm.data
        torques = np.empty_like(motion.angles)
        for row in range(len(times_s)):
            arm.pose(motion.angles[row])
            for joints in (arm.motors, arm.links):
                data.qvel[joints] = motion.velocities[row]
                data.qacc[joints] = motion.accelerations[row]
            mujoco.mj_inverse(arm.model, data)
            torques[row] = data.qfrc_inverse[arm.motors] + data.qfrc_inverse[arm.links]
        return torques
