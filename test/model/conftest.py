"""Small networks with random weights, for tests of what runs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.config import Config, ModelConfig, QuantizationConfig, WindowConfig
from taolora_ros.model.correction import (
    BlockWeights,
    CorrectionWeights,
    token_inputs,
    token_shares,
)
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.skip import SkipWeights, skip_inputs, skip_shares
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.samples import Ints
from taolora_ros.training.layer_fit import rotated_weight

INPUTS = 5  # a multiple of nothing
PATCH = 4


def random_layer(
    rng: np.random.Generator,
    k: int,
    n: int,
    rank: int = 2,
    *,
    shares: Ints | None = None,
    is_wide: bool = False,
) -> DualPathWeights:
    shares = np.arange(k) if shares is None else shares
    dense = rng.normal(size=(k, n)) / np.sqrt(k)
    smooth = rng.integers(-8, 9, shares.max() + 1).astype(np.int8)
    return DualPathWeights(
        smooth=smooth,
        shares=shares,
        weight=fit_int4(rotated_weight(dense, smooth[shares], 32), group=32),
        steady=np.full(k // 32, 0.4, np.float16),
        low_rank=LowRank(
            down=(rng.normal(size=(k, rank)) / 16).astype(np.float16),
            up=(rng.normal(size=(rank, n)) / 16).astype(np.float16),
        ),
        bias=(rng.normal(size=n) / 16).astype(np.float16),
        is_wide=is_wide,
        dense=dense.astype(np.float32),
    )


def random_weights(
    seed: int = 0, *, order: int = 10, blocks: int = 2, inputs: int = INPUTS
) -> NetworkWeights:
    rng = np.random.default_rng(seed)
    config = Config(
        window=WindowConfig(patch=PATCH),
        model=ModelConfig(order=order, width=32, blocks=blocks, kernel=3, expansion=2),
        quantization=QuantizationConfig(rank=2),
    )
    skip = SkipWeights(
        linear=random_layer(
            rng,
            skip_inputs(inputs, order=order, group=32),
            inputs,
            shares=skip_shares(inputs, order=order, group=32),
        ),
        spread=rng.uniform(0.1, 0.5, inputs).astype(np.float16).astype(np.float32),
        own=(rng.normal(size=(order, inputs)) / 8).astype(np.float16),
    )
    correction = None
    if blocks:
        correction = CorrectionWeights(
            embed=random_layer(
                rng,
                token_inputs(inputs, patch=PATCH, group=32),
                32,
                shares=token_shares(inputs, patch=PATCH, group=32),
            ),
            blocks=tuple(
                BlockWeights(
                    taps=(rng.normal(size=(3, 32)) / 4).astype(np.float32),
                    gain=np.ones(32, np.float32),
                    expand=random_layer(rng, 32, 128, is_wide=True),
                    contract=random_layer(rng, 64, 32),
                )
                for _ in range(blocks)
            ),
            gain=np.ones(32, np.float32),
            head=random_layer(rng, 32, PATCH * inputs),
        )
    return NetworkWeights(config=config, skip=skip, correction=correction)


@pytest.fixture(name='random_layer')
def layer_maker() -> Callable[..., DualPathWeights]:
    return random_layer


@pytest.fixture
def make() -> Callable[..., NetworkWeights]:
    return random_weights


@pytest.fixture
def weights() -> NetworkWeights:
    return random_weights()


@pytest.fixture
def rows() -> np.ndarray:
    """160 rows that wander, with a spike."""
    rng = np.random.default_rng(1)
    rows = np.cumsum(rng.normal(size=(160, INPUTS)) * 0.3, axis=0)
    rows[70, 2] += 30.0
    return rows.astype(np.float32)
