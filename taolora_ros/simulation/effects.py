"""What physical faults do to the model of the arm while it is being integrated.

An effect acts at every step from its onset to its end with a level that rises from 0 to 1 and
falls back to 0 during the recovery, both smoothly; `finish` leaves the model exactly as it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import mujoco
import numpy as np

from taolora_ros.simulation.arm import STEP_HZ, Arm
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.faults import FaultKind, PlannedFault, traits

_PULSE_STEPS = 3  # a spall's impulse is a half sine of this many milliseconds


class Effect:
    """A physical fault at work on one arm."""

    rise_s = 0.0  # how long it takes to build up

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        self.arm = arm
        self.planned = planned
        self.magnitudes = planned.magnitudes
        self.first = round(planned.onset_s * STEP_HZ)
        self.last = round(planned.end_s * STEP_HZ)  # the first step without it

    def advance(self, step: int) -> None:
        """Act before the integration of one step."""
        elapsed = (step - self.first) / STEP_HZ
        recovery = traits(self.planned.kind).recovery_s
        left = (self.last - step) / STEP_HZ
        rise = 1.0 if elapsed >= self.rise_s else elapsed / self.rise_s
        fall = 1.0 if left >= recovery else left / recovery
        share = min(rise, fall)
        self.act(share * share * (3.0 - 2.0 * share), is_recovering=left < recovery)

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Change the model; level is from 0 (as good as new) to 1 (fully developed)."""
        raise NotImplementedError

    def finish(self) -> None:
        """Leave the model as it was before the fault."""

    def steps(self) -> tuple[int, int] | None:
        """First and last step of the fault as it happened; None if it had no effect."""
        return self.first, self.last


class Collision(Effect):
    """A loose box stands in the way; floor friction and its mass resist until it is taken away."""

    def __init__(self, arm: Arm, planned: PlannedFault, control: Control) -> None:
        super().__init__(arm, planned)
        self._center = control.obstruct(planned.target, planned.onset_s)
        self._geom = arm.model.geom('obstacle').id
        self._touched: list[int] = []
        self._is_placed = False
        self.peak_force = 0.0  # N

    def advance(self, step: int) -> None:
        """Note whether the arm touches the obstacle, then act."""
        force = self._contact_force()
        if force > 0.0:
            self._touched.append(step - 1)  # the contact is of the step just done
            self.peak_force = max(self.peak_force, force)
        super().advance(step)

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Put the obstacle in the way at first and take it away at last."""
        if is_recovering:
            self.arm.park_obstacle()
        elif self._center is not None and not self._is_placed:
            self._is_placed = True
            self.arm.weigh_obstacle(self.magnitudes['mass_kg'])
            self.arm.model.dof_frictionloss[self.arm.obstacle] = self.magnitudes['drag_n']
            self.arm.place_obstacle(self._center)

    def finish(self) -> None:
        """Keep the obstacle out of reach."""
        self.arm.park_obstacle()

    def steps(self) -> tuple[int, int] | None:
        """From the first touch to the last, and the recovery."""
        if not self._touched:
            return None
        recovery = round(traits(self.planned.kind).recovery_s * STEP_HZ)
        return self._touched[0], self._touched[-1] + recovery

    def _contact_force(self) -> float:
        data, total = self.arm.data, 0.0
        force = np.zeros(6)
        for index in range(data.ncon):
            if self._geom in data.contact[index].geom:
                mujoco.mj_contactForce(self.arm.model, data, index, force)
                total += float(force[0])
        return total


class PayloadSlip(Effect):
    """The jaws lose their force: the part slides and swings in them; then they center it again."""

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        super().__init__(arm, planned)
        self._seats = (_Seat(arm, 'jaw_seat', 'jaw_slide'), _Seat(arm, 'jaw_angle', 'jaw_swing'))
        self._slide = arm.joint('jaw_slide')
        self._friction = float(arm.model.dof_frictionloss[self._slide])
        self._travel = float(arm.model.joint('jaw_slide').range[1])

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Let go, or draw the part back into its seat."""
        self.arm.model.dof_frictionloss[self._slide] = self.magnitudes['friction_n']
        self.arm.model.joint('jaw_slide').range[1] = self.magnitudes['travel_m']
        _move(self._seats, level, is_recovering=is_recovering)

    def finish(self) -> None:
        """Hold the part in its seat again."""
        for seat in self._seats:
            seat.draw(0.0)
        self.arm.model.dof_frictionloss[self._slide] = self._friction
        self.arm.model.joint('jaw_slide').range[1] = self._travel


class Friction(Effect):
    """A gear runs dry: its Coulomb and viscous friction grow, unevenly around the turn."""

    rise_s = 0.3

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        super().__init__(arm, planned)
        self._motor = f'{planned.target}_motor'
        self._dof = arm.joint(self._motor)
        self._coulomb = float(arm.model.dof_frictionloss[self._dof])
        self._viscous = float(arm.model.dof_damping[self._dof])

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Multiply the friction; scuffed teeth grip and let go as they turn."""
        roughness = self.magnitudes['roughness'] * math.sin(
            self.magnitudes['scuffs_per_rad'] * self.arm.angle(self._motor)
        )
        more = level * (self.magnitudes['factor'] - 1.0)
        self.arm.model.dof_frictionloss[self._dof] = self._coulomb * (
            1.0 + more * (1.0 + roughness)
        )
        self.arm.model.dof_damping[self._dof] = self._viscous * (1.0 + more)

    def finish(self) -> None:
        """Grease it."""
        self.act(0.0, is_recovering=True)


class Weakening(Effect):
    """A motor phase fails: torque is missing, more or less of it as the rotor turns.

    The drive tells the torque from its current, so it does not see what is missing.
    """

    rise_s = 0.02

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        super().__init__(arm, planned)
        self._actuator = arm.model.actuator(planned.target).id
        self._gain = arm.model.actuator_gainprm[self._actuator].copy()
        self._bias = arm.model.actuator_biasprm[self._actuator].copy()

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Scale the torque constant."""
        phase = self.magnitudes['poles_per_rad'] * self.arm.angle(f'{self.planned.target}_motor')
        share = 1.0 - level * self.magnitudes['loss'] * (1.0 + 0.5 * math.cos(phase))
        self.arm.model.actuator_gainprm[self._actuator] = self._gain * share
        self.arm.model.actuator_biasprm[self._actuator] = self._bias * share
        self.arm.torque_shares[self._actuator] = share

    def finish(self) -> None:
        """Give full torque again."""
        self.act(0.0, is_recovering=True)


class Backlash(Effect):
    """Worn gear teeth: the link moves freely in a dead zone around the rotor."""

    rise_s = 0.1

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        super().__init__(arm, planned)
        self._mesh = arm.equality(f'mesh_{planned.target}')
        self._tendon = arm.tendon(f'play_{planned.target}')
        self._range = arm.model.tendon_range[self._tendon].copy()

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Open the dead zone to half of the play on either side."""
        half = 0.5 * level * self.magnitudes['play_rad']
        self.arm.data.eq_active[self._mesh] = 0
        self.arm.model.tendon_range[self._tendon] = (-half, half)

    def finish(self) -> None:
        """Mesh without play."""
        self.arm.data.eq_active[self._mesh] = 1
        self.arm.model.tendon_range[self._tendon] = self._range


class LooseImu(Effect):
    """The IMU's screws come loose: it rocks on an under-damped mount."""

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        super().__init__(arm, planned)
        names = ('imu_rock_x', 'imu_rock_y')
        self._seats = tuple(_Seat(arm, f'imu_seat_{name[-1]}', name) for name in names)
        inertia = _rocking_inertia(arm)
        rate = 2.0 * math.pi * self.magnitudes['frequency_hz']
        for name in names:
            arm.model.joint(name).stiffness[:] = inertia * rate**2
            arm.model.joint(name).damping[:] = (
                2.0 * self.magnitudes['damping_ratio'] * inertia * rate
            )

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Let it rock, or screw it down."""
        _move(self._seats, level, is_recovering=is_recovering)

    def finish(self) -> None:
        """Sit tight again."""
        for seat in self._seats:
            seat.draw(0.0)


class BearingSpall(Effect):
    """A pit in a bearing: an impulse whenever a roller meets it, at a rate tied to the angle."""

    def __init__(self, arm: Arm, planned: PlannedFault) -> None:
        super().__init__(arm, planned)
        self._dof = arm.joint(planned.target)
        self._pulse = np.sin(np.pi * (np.arange(_PULSE_STEPS) + 0.5) / _PULSE_STEPS)
        self._pulse *= self.magnitudes['impulse_nms'] * STEP_HZ / self._pulse.sum()  # Nm
        self._roller: int | None = None
        self._since = _PULSE_STEPS
        self._sign = 1.0
        self.strikes = 0

    def act(self, level: float, *, is_recovering: bool) -> None:
        """Strike against the motion when a roller meets the pit."""
        turns = self.arm.angle(self.planned.target) / (2.0 * math.pi)
        roller = math.floor(turns * self.magnitudes['passes_per_turn'])
        if self._roller is not None and roller != self._roller and self._since >= _PULSE_STEPS:
            self._since = 0
            self.strikes += 1
            self._sign = -1.0 if self.arm.data.qvel[self._dof] > 0 else 1.0
        self._roller = roller
        torque = 0.0
        if self._since < _PULSE_STEPS:
            torque = level * self._sign * float(self._pulse[self._since])
            self._since += 1
        self.arm.data.qfrc_applied[self._dof] = torque

    def finish(self) -> None:
        """Run smoothly."""
        self.arm.data.qfrc_applied[self._dof] = 0.0


class _Seat:
    """A joint that an equality holds at zero; freed, and drawn back without a jump."""

    def __init__(self, arm: Arm, equality: str, joint: str) -> None:
        self._arm = arm
        self._index = arm.equality(equality)
        self._joint = joint
        self._from: float | None = None

    def free(self) -> None:
        self._arm.data.eq_active[self._index] = 0

    def draw(self, level: float) -> None:
        """Hold at the joint's place when first drawn (level 1) up to its seat (level 0)."""
        if self._from is None:
            self._from = self._arm.angle(self._joint)
        self._arm.model.eq_data[self._index, 0] = level * self._from
        self._arm.data.eq_active[self._index] = 1


def _rocking_inertia(arm: Arm) -> float:
    body = arm.model.body('imu')
    return float(body.inertia[0] + body.mass[0] * body.ipos[2] ** 2)


def effect(arm: Arm, planned: PlannedFault, control: Control) -> Effect:
    """The effect of a planned physical fault on an arm."""
    if planned.kind is FaultKind.COLLISION:
        return Collision(arm, planned, control)
    return _EFFECTS[planned.kind](arm, planned)


_EFFECTS = {
    FaultKind.PAYLOAD_SLIP: PayloadSlip,
    FaultKind.FRICTION: Friction,
    FaultKind.WEAKENING: Weakening,
    FaultKind.BACKLASH: Backlash,
    FaultKind.LOOSE_IMU: LooseImu,
    FaultKind.BEARING_SPALL: BearingSpall,
}


def _move(seats: Sequence[_Seat], level: float, *, is_recovering: bool) -> None:
    """Free the seats while a fault acts; draw them back while it recovers."""
    for seat in seats:
        if is_recovering:
            seat.draw(level)
        else:
            seat.free()
