from __future__ import annotations

import mujoco
import numpy as np
import pytest

from taolora_ros.simulation.arm import Arm
from taolora_ros.simulation.work import WorkPlan


@pytest.fixture(scope='module')
def plan() -> WorkPlan:
    return WorkPlan(60.0, np.random.default_rng(5))


def test_reference_is_smooth(plan: WorkPlan) -> None:
    times = np.arange(60_000) / 1000.0
    motion = plan.sample(times)
    slope = np.gradient(motion.angles, times, axis=0)
    assert np.abs(slope - motion.velocities).max() < 2e-3
    curve = np.gradient(motion.velocities, times, axis=0)
    assert np.abs(curve - motion.accelerations).max() < 0.05
    assert np.abs(motion.velocities).max() < 1.7


def test_jaws_are_at_a_stand_when_they_close_or_open(plan: WorkPlan) -> None:
    arm = Arm()
    for grip in plan.grips:
        arm.reset(plan.sample(np.array([grip.time_s])).angles[0])
        x, y, z = arm.data.body('jaws').xpos
        assert (x, abs(y), z) == pytest.approx((0.45, 0.35, 0.131), abs=0.01)


def test_jaws_close_and_open_in_turn(plan: WorkPlan) -> None:
    assert [grip.closes for grip in plan.grips[:4]] == [True, False, True, False]
    between = np.array([0.0, plan.grips[0].time_s + 0.1, plan.grips[1].time_s + 0.1])
    assert plan.is_carrying(between).tolist() == [False, True, False]


def test_no_two_cycles_are_alike(plan: WorkPlan) -> None:
    spans = np.diff(plan.cycle_ends_s)
    assert 7.0 < spans.min() < spans.max() < 11.0
    assert len(np.unique(np.round(spans, 4))) == len(spans)


def test_inverse_kinematics_agrees_with_the_model(plan: WorkPlan) -> None:
    arm = Arm()
    arm.reset(plan.sample(np.array([plan.grips[0].time_s])).angles[0])
    mujoco.mj_forward(arm.model, arm.data)
    down = arm.data.body('jaws').xmat.reshape(3, 3)[:, 0]
    assert down == pytest.approx([0.0, 0.0, -1.0], abs=1e-6)
