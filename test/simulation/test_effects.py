"""Every physical fault against the same run without it and without noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.samples import NS_PER_S, Floats
from taolora_ros.simulation.arm import JOINTS, Arm
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.effects import Collision, effect
from taolora_ros.simulation.faults import START_NS, FaultKind, PlannedFault
from taolora_ros.simulation.physics import IMU_HZ, JOINT_HZ, Motions
from taolora_ros.simulation.recording import Simulated
from taolora_ros.simulation.sensors import qualities
from taolora_ros.simulation.work import WorkPlan

Paired = Callable[[FaultKind], tuple[Simulated, Simulated]]

PHYSICAL = [kind for kind in FaultKind if kind.is_physical]
# In which quantity, in multiples of the sensor's noise, a weak fault shows at least.
SHOWS = {
    FaultKind.COLLISION: ('force', 20.0),
    FaultKind.PAYLOAD_SLIP: ('force', 20.0),
    FaultKind.FRICTION: ('effort', 10.0),
    FaultKind.WEAKENING: ('effort', 5.0),
    FaultKind.BACKLASH: ('linear_acceleration', 10.0),
    FaultKind.LOOSE_IMU: ('angular_velocity', 20.0),
    FaultKind.BEARING_SPALL: ('linear_acceleration', 10.0),
}


def _rows(motions: Motions, quantity: str) -> tuple[Floats, int]:
    columns = {
        'position': (motions.positions, JOINT_HZ),
        'effort': (motions.efforts, JOINT_HZ),
        'force': (motions.wrenches[:, :3], JOINT_HZ),
        'linear_acceleration': (motions.inertial[:, :3], IMU_HZ),
        'angular_velocity': (motions.inertial[:, 3:], IMU_HZ),
    }
    return columns[quantity]


def _excess(pair: tuple[Simulated, Simulated], quantity: str) -> tuple[Floats, int, int]:
    """Difference over noise, and the rows at which the fault begins and ends."""
    (faulty, normal) = pair
    rows, rate = _rows(faulty.motions, quantity)
    difference = np.abs(rows - _rows(normal.motions, quantity)[0])
    (fault,) = faulty.faults
    first, last = (
        int((stamp - START_NS) * rate // NS_PER_S) for stamp in (fault.onset_ns, fault.end_ns)
    )
    return difference / qualities()[quantity].sigma, first, last


@pytest.mark.parametrize('kind', PHYSICAL)
def test_weak_fault_shows_over_the_noise(kind: FaultKind, paired: Paired) -> None:
    quantity, least = SHOWS[kind]
    excess, first, last = _excess(paired(kind), quantity)
    assert excess[first:last].max() > least


@pytest.mark.parametrize('kind', PHYSICAL)
def test_nothing_differs_before_the_onset(kind: FaultKind, paired: Paired) -> None:
    for quantity in ('effort', 'force', 'angular_velocity'):
        excess, first, _ = _excess(paired(kind), quantity)
        assert not excess[:first].any()


@pytest.mark.parametrize('kind', PHYSICAL)
def test_normal_operation_resumes(kind: FaultKind, paired: Paired) -> None:
    faulty, _ = paired(kind)
    for quantity, rate in (('effort', JOINT_HZ), ('force', JOINT_HZ)):
        excess, _, last = _excess((faulty, paired(kind)[1]), quantity)
        assert np.median(excess[last : last + rate].max(axis=1)) < 5.0
        assert np.median(excess[last + 2 * rate :].max(axis=1)) < 1.0


@pytest.mark.parametrize('kind', PHYSICAL)
def test_finished_effect_leaves_the_model_as_it_was(kind: FaultKind) -> None:
    if kind is FaultKind.LOOSE_IMU:
        names = ['dof_frictionloss', 'eq_data', 'tendon_range']  # its mount acts only when loose
    else:
        names = ['dof_frictionloss', 'dof_damping', 'eq_data', 'tendon_range', 'jnt_range']
        names += ['actuator_gainprm', 'actuator_biasprm']
    if kind is FaultKind.COLLISION:
        names.remove('dof_frictionloss')  # the obstacle's own
    plan = WorkPlan(8.0, np.random.default_rng(0))
    arm = Arm()
    arm.reset(plan.sample(np.zeros(1)).angles[0])
    before = {name: getattr(arm.model, name).copy() for name in names}
    active = arm.data.eq_active.copy()
    act = effect(arm, PlannedFault(kind=kind, onset_s=2.0, duration_s=0.5), Control(plan))
    for step in range(act.first, act.last):
        act.advance(step)
    act.finish()
    for name in names:
        assert np.array_equal(getattr(arm.model, name), before[name]), name
    assert np.array_equal(arm.data.eq_active, active)


def test_collision_is_a_contact_that_the_wrist_or_the_drives_feel(paired: Paired) -> None:
    faulty, _ = paired(FaultKind.COLLISION)
    (collision,) = faulty.motions.effects
    assert isinstance(collision, Collision)
    assert 20.0 < collision.peak_force < 1000.0  # N
    excess, first, _ = _excess(paired(FaultKind.COLLISION), 'effort')
    assert excess[first : first + 20].max() > 5.0


def test_collision_begins_with_the_touch_not_with_the_plan(paired: Paired) -> None:
    faulty, _ = paired(FaultKind.COLLISION)
    (collision,) = faulty.motions.effects
    (fault,) = faulty.faults
    planned_ns = START_NS + round(collision.planned.onset_s * NS_PER_S)
    assert 0 < fault.onset_ns - planned_ns < 100_000_000
    excess, first, _ = _excess(paired(FaultKind.COLLISION), 'angular_velocity')
    assert excess[first : first + 10].max() > 1.0


def test_obstacle_out_of_the_way_is_no_collision() -> None:
    plan = WorkPlan(3.0, np.random.default_rng(0))
    standing = PlannedFault(kind=FaultKind.COLLISION, onset_s=0.2, duration_s=0.5)
    assert effect(Arm(), standing, Control(plan)).steps() is None


def test_friction_raises_the_effort_against_the_motion(paired: Paired) -> None:
    faulty, normal = paired(FaultKind.FRICTION)
    (fault,) = faulty.faults
    joint = JOINTS.index(fault.target)
    velocity = normal.motions.velocities[:, joint]
    more = (faulty.motions.efforts - normal.motions.efforts)[:, joint] * np.sign(velocity)
    first, last = ((s - START_NS) * JOINT_HZ // NS_PER_S for s in (fault.onset_ns, fault.end_ns))
    moving = np.flatnonzero(np.abs(velocity) > 0.2)
    assert more[moving[(moving > first + 50) & (moving < last - 30)]].min() > 0.0


def test_weak_motor_draws_more_current(paired: Paired) -> None:
    faulty, normal = paired(FaultKind.WEAKENING)
    (fault,) = faulty.faults
    joint = JOINTS.index(fault.target)
    first, last = ((s - START_NS) * JOINT_HZ // NS_PER_S for s in (fault.onset_ns, fault.end_ns))
    acting = slice(int(first), int(last))
    drawn = np.abs(faulty.motions.efforts[acting, joint]).mean()
    assert drawn > 1.05 * np.abs(normal.motions.efforts[acting, joint]).mean()


def test_loose_imu_rings_near_its_frequency(paired: Paired) -> None:
    faulty, normal = paired(FaultKind.LOOSE_IMU)
    (fault,) = faulty.faults
    first = int((fault.onset_ns - START_NS) * IMU_HZ // NS_PER_S)
    rates = (faulty.motions.inertial - normal.motions.inertial)[first : first + IMU_HZ, 4]
    spectrum = np.abs(np.fft.rfft(rates * np.hanning(len(rates))))
    frequency = np.fft.rfftfreq(len(rates), 1.0 / IMU_HZ)[spectrum.argmax()]
    (loose,) = faulty.motions.effects
    assert frequency == pytest.approx(loose.magnitudes['frequency_hz'], rel=0.15)


def test_spall_strikes_at_a_rate_tied_to_the_angle(paired: Paired) -> None:
    faulty, normal = paired(FaultKind.BEARING_SPALL)
    (spall,) = faulty.motions.effects
    (fault,) = faulty.faults
    first, last = ((s - START_NS) * JOINT_HZ // NS_PER_S for s in (fault.onset_ns, fault.end_ns))
    angle = normal.motions.positions[int(first) : int(last), JOINTS.index(fault.target)]
    turned = np.abs(np.diff(angle)).sum() / (2.0 * np.pi)
    assert spall.strikes == pytest.approx(turned * spall.magnitudes['passes_per_turn'], rel=0.3)
