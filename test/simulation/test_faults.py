from __future__ import annotations

import json

import pytest

from taolora_ros.errors import ConfigError
from taolora_ros.simulation.faults import CHANNELS, Fault, FaultKind, PlannedFault, traits

EVERY_CHANNEL = [channel for channels in CHANNELS.values() for channel in channels]


@pytest.mark.parametrize('kind', list(FaultKind))
def test_every_kind_shows_in_channels_whatever_it_strikes(kind: FaultKind) -> None:
    row = traits(kind)
    for target in row.targets:
        channels = row.channels_of(target)
        assert channels
        assert set(channels) <= set(EVERY_CHANNEL)


@pytest.mark.parametrize('kind', list(FaultKind))
def test_fault_lasts_between_a_fifth_of_a_second_and_four(kind: FaultKind) -> None:
    shortest, longest = traits(kind).duration_s
    assert 0.2 <= shortest <= longest <= 4.0


def test_magnitudes_grow_linearly_with_strength() -> None:
    row = traits(FaultKind.COLLISION)
    weak, half, full = (row.at(strength)['drag_n'] for strength in (0.0, 0.5, 1.0))
    assert half == pytest.approx((weak + full) / 2)


def test_channels_of_a_joint_name_that_joint() -> None:
    assert traits(FaultKind.FRICTION).channels_of('elbow') == (
        '/joint_states:position[elbow]',
        '/joint_states:effort[elbow]',
    )
    frozen = traits(FaultKind.SENSOR_FREEZE).channels_of('/joint_states:*[base]')
    assert frozen == tuple(f'/joint_states:{f}[base]' for f in ('position', 'velocity', 'effort'))


def test_planned_fault_refuses_nonsense() -> None:
    with pytest.raises(ConfigError, match="cannot strike 'elbo'; did you mean 'elbow'"):
        PlannedFault(kind=FaultKind.FRICTION, onset_s=1.0, duration_s=1.0, target='elbo')
    with pytest.raises(ConfigError, match=r'strength: 1\.5 is out of range'):
        PlannedFault(kind=FaultKind.FRICTION, onset_s=1.0, duration_s=1.0, strength=1.5)
    with pytest.raises(ConfigError, match='lasts longer than 0'):
        PlannedFault(kind=FaultKind.FRICTION, onset_s=1.0, duration_s=0.0)


def test_report_is_json_with_the_fields_of_the_ground_truth() -> None:
    fault = Fault(
        id=3,
        kind=FaultKind.BACKLASH,
        onset_ns=5,
        end_ns=9,
        strength=0.5,
        target='base',
        channels=('/wrench:wrench.force.x',),
    )
    assert json.loads(fault.report('onset')) == {
        'id': 3,
        'kind': 'backlash',
        'state': 'onset',
        'onset_ns': 5,
        'end_ns': 9,
        'strength': 0.5,
        'target': 'base',
        'channels': ['/wrench:wrench.force.x'],
    }
