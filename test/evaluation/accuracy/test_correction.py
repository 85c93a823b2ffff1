from __future__ import annotations

import dataclasses

import pytest

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy import correction
from taolora_ros.evaluation.accuracy.correction import measure_correction
from taolora_ros.evaluation.accuracy.subjects import Subject
from taolora_ros.evaluation.accuracy.verdicts import judge_case
from taolora_ros.evaluation.accuracy.workers import Workers
from taolora_ros.model.base import Precision


def test_a_detector_gains_nothing_over_itself(
    rotor_model: DetectorModel, rotor_subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction, '_train', lambda subject: rotor_model)
    subject = dataclasses.replace(rotor_subject, set_name='rosa')
    verdict = judge_case(rotor_model, subject.cases[0], Precision.INT4_ROUTED)
    with Workers(1, lambda stage, done, total: None) as workers:
        found = measure_correction([subject, rotor_subject], {'rosa': [verdict]}, workers)
    assert list(found) == ['rosa']
    assert found['rosa'].gain.mean == 0.0
    assert not found['rosa'].is_kept
    assert found['rosa'].numbers == rotor_model.watch.numbers
