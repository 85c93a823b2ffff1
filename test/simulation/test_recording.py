from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from taolora_ros.errors import ConfigError
from taolora_ros.simulation.faults import FaultKind, PlannedFault
from taolora_ros.simulation.recording import SimulationConfig, record


def _record(**settings: Any) -> Any:
    return record(SimulationConfig(**settings), progress=lambda share: None)


def test_same_seed_gives_the_same_sensor_data() -> None:
    settings: dict[str, Any] = {'duration_s': 16.0, 'lead_s': 3.0, 'spacing_s': 2.0, 'count': 2}
    first, again, other = (_record(**settings, seed=seed) for seed in (3, 3, 4))
    assert first.faults == again.faults
    for a, b, c in zip(first.streams, again.streams, other.streams, strict=True):
        assert np.array_equal(a.values, b.values)
        assert np.array_equal(a.is_sent, b.is_sent)
        assert not np.array_equal(a.values, c.values)


def test_sensor_fault_changes_its_channels_alone() -> None:
    fault = PlannedFault(kind=FaultKind.SENSOR_DRIFT, onset_s=2.0, duration_s=1.0)
    faulty = _record(duration_s=4.0, planned=(fault,))
    normal = _record(duration_s=4.0, kinds=())
    assert np.array_equal(faulty.motions.efforts, normal.motions.efforts)
    changed = [
        (stream.topic, int(column))
        for stream, before in zip(faulty.streams, normal.streams, strict=True)
        for column in np.flatnonzero((stream.values != before.values).any(axis=0))
    ]
    assert changed == [('/imu/data', 0)]


def test_collision_that_touches_nothing_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    early = PlannedFault(kind=FaultKind.COLLISION, onset_s=0.2, duration_s=0.4)
    with caplog.at_level(logging.WARNING):
        simulated = _record(duration_s=2.0, planned=(early,))
    assert simulated.faults == ()
    assert 'collision at 0.20 s: the arm never touched it' in caplog.text


def test_overlapping_faults_are_refused() -> None:
    first = PlannedFault(kind=FaultKind.FRICTION, onset_s=2.0, duration_s=2.0)
    second = PlannedFault(kind=FaultKind.LOOSE_IMU, onset_s=3.0, duration_s=2.0)
    with pytest.raises(ConfigError, match='loose_imu at 3 s begins before the one before it'):
        _record(duration_s=10.0, planned=(second, first))


def test_fault_after_the_end_is_refused() -> None:
    late = PlannedFault(kind=FaultKind.FRICTION, onset_s=9.0, duration_s=2.0)
    with pytest.raises(ConfigError, match='after the end of the recording at 10 s'):
        _record(duration_s=10.0, planned=(late,))


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        ({'duration_s': 0.5}, r'duration: 0\.5 is out of range'),
        ({'duration_s': float('nan')}, 'duration: nan is out of range'),
        ({'strength': (0.8, 0.2)}, r'strength: 0\.8 to 0\.2'),
        ({'count': -1}, 'count: -1 is negative'),
        ({'spacing_s': -1.0}, 'spacing: -1 s'),
        ({'seed': -5}, 'seed: -5 is negative'),
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        SimulationConfig(**settings)
