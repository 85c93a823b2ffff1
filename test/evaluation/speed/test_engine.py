from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.speed.engine import EngineFindings, measure_engine
from taolora_ros.evaluation.speed.timing import Pace, Times
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.network import Network

SUBJECTS = ('ours', 'ours_fp32', 'onnxruntime_fp32', 'onnxruntime_int8', 'torch_eager')


@pytest.fixture(scope='module')
def findings(workload: Workload) -> EngineFindings:
    activation = workload.network.config.quantization.activation
    twin = Network(workload.network, build=at_precision(Precision.FP32, activation))
    return measure_engine(workload, Network(workload.network), twin, Pace(rounds=3, calls=2))


def test_every_subject_is_called_alike(findings: EngineFindings) -> None:
    assert tuple(findings.times) == SUBJECTS
    assert {times.us.size for times in findings.times.values()} == {6}
    assert findings.to_mapping()['calls_of_each'] == 6


def test_ratios_are_of_the_medians(findings: EngineFindings) -> None:
    figures = findings.to_mapping()
    for name in SUBJECTS[2:]:
        assert figures[f'ratio_{name}'] == figures[f'{name}_us'] / figures['ours_us']
    assert figures['ratio_own_fp32'] == figures['ours_fp32_us'] / figures['ours_us']
    assert figures['ours_p99_us'] >= figures['ours_us'] > 0.0


def test_targets_name_figures_that_are_there(findings: EngineFindings) -> None:
    figures = findings.to_mapping()
    assert {target.figure: target.measured for target in findings.targets()} == {
        name: figures[name] for name in ('ours_us', 'ratio_onnxruntime_fp32', 'ratio_own_fp32')
    }


def test_targets_are_met_where_the_bounds_say_so() -> None:
    medians = {'ours': 50.0, 'ours_fp32': 60.0, 'onnxruntime_fp32': 600.0}
    found = EngineFindings({name: Times(np.full(3, us)) for name, us in medians.items()})
    assert [target.is_met for target in found.targets()] == [True, True, False]
