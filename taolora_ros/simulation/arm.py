"""The simulated arm: its MuJoCo model with every address looked up once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from taolora_ros.samples import Floats, Ints

JOINTS = ('base', 'shoulder', 'elbow', 'wrist_roll', 'wrist_pitch', 'flange')
STEP_HZ = 1000

# Columns of the sensor vector, in the order of <sensor> in arm.xml.
POSITION = slice(0, 6)  # rad, at the rotors, seen at the output side of the gear
VELOCITY = slice(6, 12)  # rad/s
EFFORT = slice(12, 18)  # Nm, torque at the rotors
WRENCH = slice(18, 24)  # N and Nm, in the wrist's frame
INERTIAL = slice(24, 30)  # m/s² and rad/s, in the IMU's frame
ORIENTATION = slice(30, 34)  # w x y z
COLUMNS = 34

_MODEL = Path(__file__).with_name('arm.xml')
_PARKED = (0.0, 0.0, -5.0)  # where the obstacle waits, out of reach


class Arm:
    """A model and a state of its own; faults change the model and put it back.

    Attributes:
        model: the MuJoCo model.
        data: its state, at rest in `reset`.
        motors: [6] addresses of the rotors' joints in qvel.
        links: [6] addresses of the links' joints in qvel.
    """

    def __init__(self) -> None:
        self.model: Any = mujoco.MjModel.from_xml_path(str(_MODEL))
        self.data: Any = mujoco.MjData(self.model)
        self.motors = self._dofs([f'{name}_motor' for name in JOINTS])
        self.links = self._dofs(JOINTS)
        self.obstacle = self._dofs(['obstacle_x', 'obstacle_y', 'obstacle_z'])
        self.stiffness: Floats = self.model.actuator_gainprm[:, 0].copy()  # [6] Nm/rad
        self.damping: Floats = -self.model.actuator_biasprm[:, 2].copy()  # [6] Nms/rad
        self.torque_shares: Floats = np.ones(len(JOINTS))  # torque given over torque told
        self._motor_positions = self._positions([f'{name}_motor' for name in JOINTS])
        self._link_positions = self._positions(JOINTS)
        self._obstacle_positions = self._positions(['obstacle_x', 'obstacle_y', 'obstacle_z'])

    def reset(self, angles: Floats) -> None:
        """Stand still at joint angles [6], payload on its stand, obstacle out of reach."""
        mujoco.mj_resetData(self.model, self.data)
        self.torque_shares[:] = 1.0
        self.pose(angles)
        self.place_obstacle(np.array(_PARKED))
        mujoco.mj_forward(self.model, self.data)

    def pose(self, angles: Floats) -> None:
        """Set the joint angles [6] of rotors and links, in rad."""
        self.data.qpos[self._motor_positions] = angles
        self.data.qpos[self._link_positions] = angles

    def angles(self) -> Floats:
        """Rotor angles [6], in rad."""
        angles: Floats = self.data.qpos[self._motor_positions]
        return angles

    def place_obstacle(self, center: Floats) -> None:
        """Put the obstacle's center [3] somewhere, at rest."""
        self.data.qpos[self._obstacle_positions] = center
        self.data.qvel[self.obstacle] = 0.0

    def park_obstacle(self) -> None:
        """Take the obstacle out of reach."""
        self.place_obstacle(np.array(_PARKED))

    def weigh_obstacle(self, mass_kg: float) -> None:
        """Give the obstacle a mass."""
        body = self.model.body('obstacle')
        ratio = mass_kg / float(body.mass[0])
        body.mass[:] *= ratio
        body.inertia[:] *= ratio
        equalities = self.model.eq_data.copy()  # mj_setConst would recompute the jaws' grip
        mujoco.mj_setConst(self.model, mujoco.MjData(self.model))
        self.model.eq_data[:] = equalities

    def joint(self, name: str) -> int:
        """Address of a joint in qvel."""
        return int(self.model.joint(name).dofadr[0])

    def angle(self, name: str) -> float:
        """Value of a joint, in rad or m."""
        return float(self.data.qpos[self.model.joint(name).qposadr[0]])

    def equality(self, name: str) -> int:
        """Index of an equality constraint."""
        return int(self.model.equality(name).id)

    def tendon(self, name: str) -> int:
        """Index of a tendon."""
        return int(self.model.tendon(name).id)

    def _dofs(self, names: Any) -> Ints:
        return np.array([self.model.joint(name).dofadr[0] for name in names], dtype=np.int64)

    def _positions(self, names: Any) -> Ints:
        return np.array([self.model.joint(name).qposadr[0] for name in names], dtype=np.int64)
