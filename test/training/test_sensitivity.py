"""Which layers 4-bit activations would drown."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import QuantizationConfig
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.samples import Float32s
from taolora_ros.training.augmentation import Disturbance
from taolora_ros.training.layer_fit import fit_layer
from taolora_ros.training.sensitivity import steady_error, widened

SETTINGS = QuantizationConfig(rank=0)
INPUTS, OUTPUTS = 64, 4


@pytest.fixture
def normal() -> Float32s:
    return np.random.default_rng(0).normal(size=(4_000, INPUTS)).astype(np.float32)


def _layer(normal: Float32s) -> DualPathWeights:
    rng = np.random.default_rng(1)
    return fit_layer(
        rng.normal(size=(INPUTS, OUTPUTS)) / 8.0,
        np.zeros(OUTPUTS, np.float32),
        normal=normal,
        transient={Disturbance.GAIN: 5.0 * normal[:500]},
        metric=np.ones(OUTPUTS),
        shares=np.arange(INPUTS),
        settings=SETTINGS,
    )


def test_the_error_is_that_of_the_rounded_output_in_residuals(normal: Float32s) -> None:
    layer = _layer(normal)
    assert layer.dense is not None
    scale = np.repeat(layer.steady.astype(float), 32)
    rotated = layer.rotated(normal).astype(float)
    rounded = np.clip(np.rint(rotated / scale), -7, 7) * scale @ layer.weight.dense()
    expected = np.sqrt(np.mean((rounded - normal @ layer.dense) ** 2))
    metric = np.full(OUTPUTS, 10.0)
    found = steady_error(layer, normal, metric=metric, settings=SETTINGS)
    assert found == pytest.approx(10.0 * expected, rel=0.02)  # every row, or half of them


@pytest.mark.parametrize(('residual', 'is_wide'), [(1.0, False), (0.1, True)])
def test_a_layer_is_wide_where_rounding_is_large_against_the_residual(
    normal: Float32s, residual: float, is_wide: bool
) -> None:
    # 4 bits round away some 15 % of an output of variance 1.
    metric = np.full(OUTPUTS, 1.0 / residual)
    layer = widened(_layer(normal), normal, metric=metric, settings=SETTINGS, name='test')
    assert layer.is_wide == is_wide
