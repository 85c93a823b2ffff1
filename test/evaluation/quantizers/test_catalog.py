"""What every way of quantization has to keep to."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.catalog import QUANTIZERS
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights

OVER_BUDGET = ('fp32', 'fp16', 'r_sparse')


@pytest.fixture(params=list(QUANTIZERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_memory_keeps_to_the_budget(
    name: str, weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = QUANTIZERS[name].fit(weights, calibration)
    assert (layer.bytes > weights.packed_bytes) == (name in OVER_BUDGET)


def test_outputs_are_near_those_of_fp32(
    name: str, weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = QUANTIZERS[name].fit(weights, calibration)
    assert weights.dense is not None
    x, mask = calibration.normal, np.zeros(len(calibration.normal), bool)
    expected = x.astype(float) @ weights.dense
    found = layer(x, mask) - weights.bias.astype(float)
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) < 0.6 * np.linalg.norm(expected)


def test_a_row_has_the_same_output_in_any_company(
    name: str, weights: DualPathWeights, calibration: Calibration
) -> None:
    layer = QUANTIZERS[name].fit(weights, calibration)
    x, mask = calibration.disturbed[140:160], np.arange(20) > 9
    whole = layer(x, mask)
    alone = np.concatenate([layer(x[i : i + 1], mask[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(whole, alone, rtol=1e-4, atol=1e-4)


def test_fitting_twice_gives_the_same(
    name: str, weights: DualPathWeights, calibration: Calibration
) -> None:
    first, second = (QUANTIZERS[name].fit(weights, calibration) for _ in range(2))
    x, mask = calibration.disturbed[:20], np.ones(20, bool)
    np.testing.assert_array_equal(first(x, mask), second(x, mask))
