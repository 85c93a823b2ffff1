from __future__ import annotations

import mujoco
import numpy as np
import pytest

from taolora_ros.simulation.arm import EFFORT, INERTIAL, WRENCH, Arm
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.work import WorkPlan


@pytest.fixture(scope='module')
def resting() -> Arm:
    """An arm that has stood still for a second."""
    plan = WorkPlan(2.0, np.random.default_rng(0))
    arm = Arm()
    arm.reset(plan.sample(np.zeros(1)).angles[0])
    arm.data.ctrl[:] = Control(plan).commands(0, 1)[0]
    for _ in range(1000):
        mujoco.mj_step(arm.model, arm.data)
    return arm


def test_static_effort_is_the_gravity_torque_up_to_stiction(resting: Arm) -> None:
    gravity = resting.data.qfrc_bias[resting.links]
    stiction = resting.model.dof_frictionloss[resting.motors]
    assert np.all(np.abs(resting.data.sensordata[EFFORT] - gravity) <= stiction)
    assert gravity[1] < -10.0  # the shoulder holds the arm up


def test_imu_reads_gravity_at_rest(resting: Arm) -> None:
    acceleration = resting.data.sensordata[INERTIAL][:3]
    assert np.linalg.norm(acceleration) == pytest.approx(9.81, abs=0.01)
    assert np.abs(resting.data.sensordata[INERTIAL][3:]).max() < 1e-3


def test_wrist_sensor_weighs_the_empty_tool(resting: Arm) -> None:
    mass = resting.model.body('tool').subtreemass[0]
    force = np.linalg.norm(resting.data.sensordata[WRENCH][:3])
    assert force == pytest.approx(mass * 9.81, rel=0.01)


def test_energy_of_the_free_arm_does_not_grow() -> None:
    arm = Arm()
    arm.model.opt.enableflags |= int(mujoco.mjtEnableBit.mjENBL_ENERGY)
    arm.model.actuator_gainprm[:] = 0.0
    arm.model.actuator_biasprm[:] = 0.0
    arm.reset(WorkPlan(2.0, np.random.default_rng(0)).sample(np.zeros(1)).angles[0])
    energies = []
    for _ in range(300):  # it falls freely, against the friction of its gears
        mujoco.mj_step(arm.model, arm.data)
        energies.append(arm.data.energy.sum())
    assert energies[-1] < energies[0] - 1.0
    assert np.diff(energies[20:]).max() < 1e-2


def test_weighing_the_obstacle_leaves_the_grip_alone() -> None:
    arm = Arm()
    arm.model.eq_data[arm.equality('grip'), 3:10] = [0.1, 0.2, 0.3, 1.0, 0.0, 0.0, 0.0]
    before = arm.model.eq_data.copy()
    arm.weigh_obstacle(2.5)
    assert arm.model.body('obstacle').mass[0] == pytest.approx(2.5)
    assert np.array_equal(arm.model.eq_data, before)
