from __future__ import annotations

import dataclasses

import numpy as np

from taolora_ros.evaluation.quantizers.inputs import Inputs
from taolora_ros.evaluation.quantizers.loftq import LoftQ
from taolora_ros.evaluation.quantizers.normal_float import fit_normal_float
from taolora_ros.evaluation.quantizers.product import truncated
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights


def test_turns_bring_the_weights_closer_than_one_would(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = LoftQ(Inputs.FP16).fit(weights, calibration)
    assert weights.dense is not None
    dense = weights.dense.astype(float)
    rounded = fit_normal_float(dense).dense()
    once = rounded + truncated(dense - rounded, layer.low_rank.rank).product()
    apart = np.linalg.norm(layer.weight + layer.low_rank.product() - dense)
    assert apart < np.linalg.norm(once - dense) < np.linalg.norm(rounded - dense)


def test_activations_make_no_difference(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    other = dataclasses.replace(calibration, normal=3.0 * calibration.normal[::-1])
    first, second = (LoftQ(Inputs.INT4).fit(weights, seen) for seen in (calibration, other))
    np.testing.assert_array_equal(first.weight, second.weight)
    np.testing.assert_array_equal(first.low_rank.down, second.low_rank.down)
