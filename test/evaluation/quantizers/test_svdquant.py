from __future__ import annotations

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.plain_int4 import PlainInt4
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.evaluation.quantizers.svdquant import SvdQuant
from taolora_ros.model.dual_path import DualPathWeights


def test_it_loses_less_than_the_same_codes_without_it(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    split = SvdQuant().fit(weights, calibration)
    plain = PlainInt4(Activation.PER_GROUP).fit(weights, calibration)
    assert calibration.error(split, weights) < 0.8 * calibration.error(plain, weights)


def test_both_branches_together_stand_for_the_weights(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = SvdQuant().fit(weights, calibration)
    assert layer.smooth is not None
    assert weights.dense is not None
    whole = layer.weight / layer.smooth[:, None] + layer.low_rank.product()
    error = np.linalg.norm(whole - weights.dense) / np.linalg.norm(weights.dense)
    assert error < 0.15  # 4 bits: about a twelfth of a group's largest weight


def test_what_is_smoothed_counts_in_its_bytes(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = SvdQuant().fit(weights, calibration)
    codes, bias, smooth = 64 * 12 // 2 + 2 * 12, 12 * 2, 64 * 2
    assert layer.bytes == codes + bias + smooth + 2 * layer.low_rank.rank * (64 + 12)
