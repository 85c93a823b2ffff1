from __future__ import annotations

import numpy as np
import pytest
import torch

from taolora_ros.evaluation.speed.stream_step import StreamStepFindings, measure_stream_step
from taolora_ros.evaluation.speed.timing import Pace, Times
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Bools, Float32s


def test_ratios_are_of_the_medians() -> None:
    medians = {'ours': 20.0, 'torch_fp16_token': 50.0, 'torch_fp16_window': 150.0}
    findings = StreamStepFindings({name: Times(np.full(3, us)) for name, us in medians.items()})
    figures = findings.to_mapping()
    assert figures['ours_us'] == figures['ours_p99_us'] == 20.0
    assert figures['ratio_torch_fp16_token'] == 2.5
    assert figures['ratio_torch_fp16_window'] == 7.5
    assert [target.is_met for target in findings.targets()] == [True, False]


class Standing:
    """An engine of one stream that answers nothing."""

    def __init__(self) -> None:
        self.prediction: Float32s = np.zeros((1, 4, 5), np.float32)

    def step(self, patches: Float32s, is_transient: Bools) -> None:
        assert patches.shape == (1, 4, 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_torch_runs_in_both_forms_as_cuda_graphs(workload: Workload) -> None:
    findings = measure_stream_step(workload, Standing(), Pace(rounds=1, calls=2))
    assert set(findings.times) == {'ours', 'torch_fp16_token', 'torch_fp16_window'}
