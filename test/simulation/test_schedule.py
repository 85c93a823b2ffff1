from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taolora_ros.errors import ConfigError
from taolora_ros.simulation.arm import JOINTS
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.faults import FaultKind, PlannedFault
from taolora_ros.simulation.schedule import Openings, draw_faults, read_faults
from taolora_ros.simulation.work import WorkPlan

DURATION_S = 250.0


@pytest.fixture(scope='module')
def plan() -> WorkPlan:
    return WorkPlan(DURATION_S, np.random.default_rng(3))


@pytest.fixture(scope='module')
def openings(plan: WorkPlan) -> Openings:
    return Openings(plan, DURATION_S, Control(plan))


def _draw(openings: Openings, **changes: Any) -> tuple[PlannedFault, ...]:
    options: dict[str, Any] = {
        'duration_s': DURATION_S,
        'count': 22,
        'strength': (0.3, 0.9),
        'spacing_s': 6.0,
        'lead_s': 10.0,
    }
    rng = np.random.default_rng(changes.pop('seed', 1))
    kinds = changes.pop('kinds', tuple(FaultKind))
    return draw_faults(kinds, openings, rng, **(options | changes))


def test_all_kinds_come_equally_often(openings: Openings) -> None:
    counts = Counter(fault.kind for fault in _draw(openings))
    assert set(counts.values()) == {2}
    assert len(counts) == len(FaultKind)


@pytest.mark.parametrize('seed', range(5))
def test_normal_time_separates_the_faults(openings: Openings, seed: int) -> None:
    faults = _draw(openings, seed=seed)
    assert faults[0].onset_s >= 10.0
    for before, after in itertools.pairwise(faults):
        assert after.onset_s - before.end_s >= 6.0 - 1e-9
    assert faults[-1].end_s + 6.0 <= DURATION_S


def test_strengths_stay_in_the_range(openings: Openings) -> None:
    strengths = [fault.strength for fault in _draw(openings)]
    assert 0.3 <= min(strengths) < max(strengths) <= 0.9


def test_same_seed_draws_the_same_faults(openings: Openings) -> None:
    assert _draw(openings, seed=4) == _draw(openings, seed=4)
    assert _draw(openings, seed=4) != _draw(openings, seed=5)


def test_faults_begin_when_they_can_act(openings: Openings, plan: WorkPlan) -> None:
    for fault in _draw(openings, seed=8):
        speeds = np.abs(plan.sample(np.array([fault.onset_s])).velocities[0])
        if fault.kind is FaultKind.PAYLOAD_SLIP:
            assert plan.is_carrying(np.array([fault.onset_s, fault.end_s])).all()
        if fault.target in JOINTS:
            assert speeds[JOINTS.index(fault.target)] > 0.3


def test_too_many_faults_are_refused(openings: Openings) -> None:
    with pytest.raises(ConfigError, match=r'count: 60 faults 6 s apart do not fit into 250 s'):
        _draw(openings, count=60)


def test_without_a_count_as_many_as_fit(openings: Openings) -> None:
    faults = _draw(openings, count=None)
    assert 15 <= len(faults) <= 25


def test_no_kinds_or_no_count_means_no_faults(openings: Openings) -> None:
    assert _draw(openings, kinds=()) == ()
    assert _draw(openings, count=0) == ()


def test_file_of_faults_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'faults.yaml'
    path.write_text(
        '- {kind: friction, onset_s: 12, duration_s: 2, strength: 0.4, target: elbow}\n'
        '- {kind: collision, onset_s: 20.5, duration_s: 0.5}\n'
    )
    friction, collision = read_faults(path)
    assert (friction.kind, friction.target, friction.onset_s) == (FaultKind.FRICTION, 'elbow', 12)
    assert (collision.strength, collision.target) == (0.7, 'tool')


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ('kind: friction', 'expected a list of faults'),
        ('- {kind: frction, onset_s: 1, duration_s: 1}', r"\[0\]\.kind: 'frction' is none of"),
        ('- {kind: friction, onsets: 1, duration_s: 1}', r"\[0\]: unknown key 'onsets'"),
        ('- {kind: friction, duration_s: 1}', r'\[0\]: onset_s is missing'),
        ('- {kind: friction, onset_s: 1, duration_s: 1, strength: 2}', r'strength: 2\.0 is out'),
        ('- [', 'cannot be read as YAML'),
    ],
)
def test_bad_file_of_faults_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / 'faults.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_faults(path)


def test_missing_file_of_faults_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'nowhere\.yaml: no such file'):
        read_faults(tmp_path / 'nowhere.yaml')
