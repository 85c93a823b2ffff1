from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.evaluation.accuracy import peers
from taolora_ros.evaluation.accuracy.peers import (
    peer_volumes,
    rebased,
    thinned,
    training_rows,
)
from taolora_ros.evaluation.accuracy.subjects import Subject
from taolora_ros.evaluation.datasets.series import grid_recording


def test_recordings_with_events_are_scored(rotor_subject: Subject) -> None:
    scored = peer_volumes(rotor_subject, 'moving_variance')
    assert list(scored) == [rotor_subject.cases[0].name]
    assert 0.0 < scored[rotor_subject.cases[0].name] <= 1.0


def test_rebasing_takes_the_first_second_off(rotor_subject: Subject) -> None:
    changed = rebased(rotor_subject)
    for recording in (*changed.train, *(case.recording for case in changed.cases)):
        np.testing.assert_allclose(recording.values[:100].mean(axis=0), 0.0, atol=1e-9)
    before, after = rotor_subject.cases[0].recording, changed.cases[0].recording
    np.testing.assert_allclose(np.diff(after.values, axis=0), np.diff(before.values, axis=0))


def test_training_rows_end_at_breaks_and_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, 'MOST_ROWS', 40)
    recordings = [
        grid_recording('a', np.zeros((30, 1)), 1.0, starts=(0, 12)),
        grid_recording('b', np.zeros((15, 1)), 1.0),
    ]
    assert [len(rows) for rows in training_rows(recordings)] == [12, 8, 15]


def test_thinning_keeps_the_first_with_events(rotor_subject: Subject) -> None:
    struck, normal = rotor_subject.cases
    many = dataclasses.replace(rotor_subject, cases=(normal, struck, struck))
    assert thinned(many, 1).cases == (struck,)
