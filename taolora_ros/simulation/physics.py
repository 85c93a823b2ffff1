"""The integration at 1 kHz, and what ideal sensors would read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from taolora_ros.errors import ConfigError
from taolora_ros.samples import Floats
from taolora_ros.simulation.arm import (
    COLUMNS,
    EFFORT,
    INERTIAL,
    JOINTS,
    ORIENTATION,
    POSITION,
    STEP_HZ,
    VELOCITY,
    WRENCH,
    Arm,
)
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.effects import Effect, effect
from taolora_ros.simulation.faults import PlannedFault
from taolora_ros.simulation.jaws import Jaws
from taolora_ros.simulation.work import WorkPlan

JOINT_HZ = 100
IMU_HZ = 200
_CHUNK = 1000  # steps planned at a time

# Torque ripple of each drive: gear mesh and cogging, and the current loop's noise.
_RIPPLE = np.array([1.2, 1.2, 0.7, 0.15, 0.15, 0.08])  # Nm
_RIPPLE_RATE = np.array([160.0, 160.0, 200.0, 240.0, 240.0, 200.0])  # rad of it per rad
_TORQUE_NOISE = np.array([0.6, 0.6, 0.35, 0.08, 0.08, 0.04])  # Nm


@dataclass(frozen=True, slots=True, eq=False)
class Motions:
    """What ideal sensors read, each row the mean since the row before it.

    Row k of a stream ends, and is stamped, at (k + 1) periods after the start.
    """

    positions: Floats  # [T, 6] rad
    velocities: Floats  # [T, 6] rad/s
    efforts: Floats  # [T, 6] Nm, as the motor currents tell
    wrenches: Floats  # [T, 6] N, Nm
    inertial: Floats  # [2T, 6] m/s², rad/s
    orientations: Floats  # [2T, 4] w x y z
    effects: tuple[Effect, ...]


def integrate(
    plan: WorkPlan,
    duration_s: float,
    faults: Sequence[PlannedFault],
    rng: np.random.Generator,
    *,
    progress: Callable[[float], None],
) -> Motions:
    """Run the arm through its plan.

    Args:
        plan: the work.
        duration_s: a multiple of 10 ms.
        faults: the physical ones.
        rng: of the drives' torque noise; it is drawn alike whatever the faults.
        progress: told the share done, 0 to 1.

    Raises:
        ConfigError: a fault was more than the integrator could bear.
    """
    arm, control = Arm(), Control(plan)
    arm.reset(plan.sample(np.zeros(1)).angles[0])
    jaws = Jaws(arm, plan.grips)
    waiting = sorted(faults, key=lambda fault: fault.onset_s, reverse=True)
    acting: list[Effect] = []
    ended: list[Effect] = []
    phases = rng.uniform(0.0, 2.0 * np.pi, len(JOINTS))
    total = round(duration_s * JOINT_HZ) * (STEP_HZ // JOINT_HZ)
    slow: list[Floats] = []
    fast: list[Floats] = []
    for start in range(0, total, _CHUNK):
        count = min(_CHUNK, total - start)
        commands = control.commands(start, count)
        noise = rng.normal(0.0, _TORQUE_NOISE, (count, len(JOINTS)))
        readings = np.empty((count, COLUMNS))
        for index in range(count):
            step = start + index
            jaws.advance(step)
            while waiting and step >= round(waiting[-1].onset_s * STEP_HZ):
                acting.append(effect(arm, waiting.pop(), control))
            for active in tuple(acting):
                if step < active.last:
                    active.advance(step)
                else:
                    active.finish()
                    acting.remove(active)
                    ended.append(active)
            arm.data.ctrl[:] = commands[index]
            ripple = _RIPPLE * np.sin(_RIPPLE_RATE * arm.angles() + phases)
            arm.data.qfrc_applied[arm.motors] = ripple + noise[index]
            mujoco.mj_step(arm.model, arm.data)
            readings[index] = arm.data.sensordata
            readings[index, EFFORT] /= arm.torque_shares
        slow.append(_means(readings, STEP_HZ // JOINT_HZ))
        fast.append(_means(readings[:, INERTIAL.start :], STEP_HZ // IMU_HZ))
        if arm.data.warning[mujoco.mjtWarning.mjWARN_BADQACC].number:
            raise ConfigError(
                f'the simulation became unstable before {(start + count) / STEP_HZ:g} s; '
                'lower the strength of the faults'
            )
        progress((start + count) / total)
    joints, inertial = np.concatenate(slow), np.concatenate(fast)
    return Motions(
        joints[:, POSITION],
        joints[:, VELOCITY],
        joints[:, EFFORT],
        joints[:, WRENCH],
        inertial[:, : ORIENTATION.start - INERTIAL.start],
        inertial[:, ORIENTATION.start - INERTIAL.start :],
        (*ended, *acting),
    )


def _means(readings: Floats, width: int) -> Floats:
    means: Floats = readings.reshape(-1, width, readings.shape[1]).mean(axis=1)
    return means
