from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.inputs import Inputs
from taolora_ros.evaluation.quantizers.product import truncated
from taolora_ros.evaluation.quantizers.qlora import QLora
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.low_rank import LowRank, no_low_rank


@pytest.mark.parametrize('inputs', list(Inputs))
def test_the_lora_repairs_part_of_the_loss(
    weights: DualPathWeights, calibration: Calibration, inputs: Inputs
) -> None:
    layer = QLora(inputs).fit(weights, calibration)
    bare = dataclasses.replace(layer, low_rank=no_low_rank(64, 12))
    assert layer.low_rank.rank > 0
    assert calibration.error(layer, weights) < 0.9 * calibration.error(bare, weights)


def test_with_fp16_inputs_and_all_ranks_nothing_is_lost(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    rich = dataclasses.replace(weights, steady=np.ones(10_000, np.float32))  # a large budget
    layer = QLora(Inputs.FP16).fit(rich, calibration)
    assert layer.low_rank.rank == 12
    assert calibration.error(layer, weights) < 1e-4


def test_it_is_the_best_lora_of_its_rank_on_the_output(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = QLora(Inputs.FP16).fit(weights, calibration)
    assert weights.dense is not None
    lost = weights.dense - layer.weight.astype(float)

    def error(low_rank: LowRank) -> float:
        rest = (lost - low_rank.product()) * calibration.metric
        return float(np.trace(rest.T @ calibration.gram @ rest))

    assert error(layer.low_rank) < error(truncated(lost, layer.low_rank.rank))
