from __future__ import annotations

import numpy as np

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.rounding import (
    calibrate_layers,
    output_errors,
    rounded_runs,
)
from taolora_ros.evaluation.accuracy.subjects import Subject
from taolora_ros.evaluation.accuracy.verdicts import judge_case
from taolora_ros.model.base import Precision


def test_full_precision_is_exact_and_ours_is_close(
    rotor_model: DetectorModel, rotor_subject: Subject
) -> None:
    errors = output_errors(rotor_model, rotor_subject, ['fp32', 'tao_lora'])
    assert errors['fp32'].whitened.steady == errors['fp32'].whitened.event == 0.0
    assert 0.0 < errors['tao_lora'].whitened.steady < 0.5
    assert errors['tao_lora'].bytes == rotor_model.watch.packed_bytes


def test_ours_runs_as_the_detector_does(
    rotor_model: DetectorModel, rotor_subject: Subject
) -> None:
    learned = calibrate_layers(rotor_model, rotor_subject)
    size, results = rounded_runs(rotor_model, 'tao_lora', learned, rotor_subject.cases)
    assert size == rotor_model.watch.packed_bytes
    for case, result in zip(rotor_subject.cases, results, strict=True):
        own = judge_case(rotor_model, case, Precision.INT4_ROUTED).result
        # layer by layer here, compiled there
        np.testing.assert_allclose(result.trace.scores, own.trace.scores, atol=1e-4)
        assert result.events_found == own.events_found
