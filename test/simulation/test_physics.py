from __future__ import annotations

import numpy as np

from taolora_ros.simulation.physics import IMU_HZ, JOINT_HZ
from taolora_ros.simulation.recording import Simulated, SimulationConfig, record
from taolora_ros.simulation.work import WorkPlan


def test_joints_follow_the_reference(normal: Simulated) -> None:
    # `record` draws the plan from the first of the streams that the seed spawns.
    seed = np.random.SeedSequence(11).spawn(5)[0]
    plan = WorkPlan(26.0, np.random.default_rng(seed))
    middle = (np.arange(len(normal.motions.positions)) + 0.5) / JOINT_HZ
    error = normal.motions.positions - plan.sample(middle).angles
    assert np.abs(error).max() < 3e-3  # rad; the payload's weight takes its share


def test_payload_shows_on_the_wrist_while_it_is_carried(normal: Simulated) -> None:
    seed = np.random.SeedSequence(11).spawn(5)[0]
    plan = WorkPlan(26.0, np.random.default_rng(seed))
    force = np.linalg.norm(normal.motions.wrenches[:, :3], axis=1)
    carrying = plan.is_carrying((np.arange(len(force)) + 0.5) / JOINT_HZ)
    difference = np.median(force[carrying]) - np.median(force[~carrying])
    assert abs(difference - 1.5 * 9.81) < 1.5


def test_rates_fit_the_duration(normal: Simulated) -> None:
    assert len(normal.motions.efforts) == 26 * JOINT_HZ
    assert len(normal.motions.inertial) == 26 * IMU_HZ


def test_progress_runs_up_to_one() -> None:
    shares: list[float] = []
    record(SimulationConfig(duration_s=2.5, kinds=()), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
