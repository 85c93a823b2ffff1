"""A trained layer and its inputs, small enough to reason about."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.training.augmentation import Disturbance
from taolora_ros.training.layer_fit import rotated_weight

INPUTS, OUTPUTS, RANK = 64, 12, 3


@pytest.fixture(scope='session')
def weights() -> DualPathWeights:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(INPUTS, OUTPUTS)) * np.exp(rng.normal(size=(INPUTS, 1)))
    smooth = rng.integers(-8, 9, INPUTS).astype(np.int8)
    return DualPathWeights(
        smooth=smooth,
        shares=np.arange(len(smooth)),
        weight=fit_int4(rotated_weight(dense, smooth, 32), group=32),
        steady=np.full(2, 0.5, np.float16),
        low_rank=LowRank(
            down=(rng.normal(size=(INPUTS, RANK)) / 100).astype(np.float16),
            up=(rng.normal(size=(RANK, OUTPUTS)) / 100).astype(np.float16),
        ),
        bias=rng.normal(size=OUTPUTS).astype(np.float16),
        dense=dense.astype(np.float32),
    )


@pytest.fixture(scope='session')
def calibration() -> Calibration:
    """Correlated inputs of different sizes, and larger ones under two disturbances."""
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(INPUTS, INPUTS)) / 8 * np.exp(rng.normal(size=INPUTS) / 2)
    normal = rng.normal(size=(600, INPUTS)) @ mixing
    spikes = rng.normal(size=(150, INPUTS)) @ mixing
    spikes[:, 5] += 30.0
    bursts = 8.0 * rng.normal(size=(150, INPUTS))
    return Calibration(
        normal=normal.astype(np.float32),
        transient={
            Disturbance.SPIKE: spikes.astype(np.float32),
            Disturbance.BURST: bursts.astype(np.float32),
        },
        metric=rng.uniform(0.5, 2.0, OUTPUTS),
    )
