"""Fitting the network: closed-form skip, correction, rounding, repair."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from taolora_ros.config import Config, ModelConfig, QuantizationConfig, TrainingConfig
from taolora_ros.errors import CalibrationError
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.training.augmentation import Disturbance, disturb
from taolora_ros.training.network_fit import fit_network

SKIP_ONLY = Config(model=ModelConfig(order=4, blocks=0))
SMALL = Config(
    model=ModelConfig(order=2, width=32, blocks=2, kernel=3, expansion=2),
    training=TrainingConfig(epochs=12, learning_rate=5e-3),
)


def quiet(stage: str, share: float) -> None:
    assert stage
    assert 0.0 <= share <= 1.0


def coupled(seed: int, rows: int, channels: int = 5) -> np.ndarray:
    """A stable vector autoregression of order 2, scaled to unit variance."""
    rng = np.random.default_rng(seed)
    first = 0.5 * np.eye(channels) + 0.3 * np.roll(np.eye(channels), 1, axis=1)
    x = np.zeros((rows, channels))
    noise = rng.normal(size=x.shape)
    for t in range(2, rows):
        x[t] = x[t - 1] @ first - 0.2 * x[t - 2] + noise[t]
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


def predictable(seed: int, rows: int) -> np.ndarray:
    """Channels that no linear map of two rows foresees: a square wave of 24 rows and a clock."""
    rng = np.random.default_rng(seed)
    phase = (np.arange(rows) + int(rng.integers(24))) % 24
    waves = np.stack([phase < 5, (phase > 8) & (phase < 20), phase % 12 == 3], axis=1) * 2.0 - 1.0
    return (waves + 0.02 * rng.normal(size=waves.shape)).astype(np.float32)


def residual(weights: NetworkWeights, rows: np.ndarray, precision: Precision) -> np.ndarray:
    patch = weights.config.window.patch
    rows = rows[: len(rows) // patch * patch]
    mask = np.zeros(len(rows) // patch, bool)
    build = at_precision(precision, weights.config.quantization.activation)
    return (rows - Network(weights, build=build).run(rows, mask))[64:]


@pytest.fixture(scope='module')
def skip() -> NetworkWeights:
    return fit_network([coupled(0, 3000), coupled(1, 1000)], SKIP_ONLY, progress=quiet)


@pytest.fixture(scope='module')
def corrected() -> NetworkWeights:
    return fit_network([predictable(0, 3000)], SMALL, progress=quiet)


def test_skip_finds_the_autoregression(skip: NetworkWeights) -> None:
    rows = coupled(2, 3000)
    lagged = np.concatenate([rows[1:-1], rows[:-2]], axis=1)
    best = rows[2:] - lagged @ np.linalg.lstsq(lagged, rows[2:], rcond=None)[0]
    found = residual(skip, rows, Precision.FP32)
    assert found.var() < 1.02 * best.var()


def test_rounding_costs_little_on_steady_rows(skip: NetworkWeights) -> None:
    rows = coupled(3, 3000)
    exact, rounded = (
        residual(skip, rows, precision) for precision in (Precision.FP32, Precision.INT4_NEVER)
    )
    assert rounded.var() < 1.1 * exact.var()


@pytest.mark.parametrize('kind', list(Disturbance))
def test_the_fp16_path_brings_transients_closer_to_full_precision(
    skip: NetworkWeights, kind: Disturbance
) -> None:
    disturbed = disturb(coupled(4, 2000), kind, np.random.default_rng(5))
    exact, never, always = (
        residual(skip, disturbed.rows, precision)
        for precision in (Precision.FP32, Precision.INT4_NEVER, Precision.INT4_ALWAYS)
    )
    touched = disturbed.is_touched[: len(disturbed.rows) // 4 * 4][64:]
    lost, kept = (np.square(values - exact)[touched].sum() for values in (never, always))
    assert kept < 0.7 * lost


def test_the_low_rank_path_repairs_more_than_the_scale_alone() -> None:
    rows = [coupled(0, 3000, channels=12)]
    errors = []
    for rank in (0, 3):
        config = Config(
            model=ModelConfig(order=4, blocks=0), quantization=QuantizationConfig(rank=rank)
        )
        weights = fit_network(rows, config, progress=quiet)
        disturbed = disturb(
            coupled(6, 2000, channels=12), Disturbance.BURST, np.random.default_rng(7)
        )
        exact, always = (
            residual(weights, disturbed.rows, precision)
            for precision in (Precision.FP32, Precision.INT4_ALWAYS)
        )
        errors.append(np.square(always - exact).sum())
    assert errors[1] < 0.95 * errors[0]


def test_fitting_is_deterministic(skip: NetworkWeights) -> None:
    again = fit_network([coupled(0, 3000), coupled(1, 1000)], SKIP_ONLY, progress=quiet)
    for name, part in skip.to_tensors().items():
        np.testing.assert_array_equal(again.to_tensors()[name], part, err_msg=name)


def test_a_constant_channel_is_predicted_to_stay() -> None:
    rows = np.concatenate([coupled(0, 800, 2), np.zeros((800, 1), np.float32)], axis=1)
    weights = fit_network([rows], SKIP_ONLY, progress=quiet)
    prediction = rows[:400] - np.zeros_like(rows[:400])
    prediction = Network(weights).run(prediction, np.zeros(100, bool))
    assert np.abs(prediction[:, 2]).max() < 1e-3


def test_too_few_rows_are_refused_with_the_time_that_is_needed() -> None:
    with pytest.raises(CalibrationError, match=r'too few to learn from; record at least 0\.2 s'):
        fit_network([coupled(0, 10), coupled(1, 3)], SKIP_ONLY, progress=quiet)


def test_segments_shorter_than_the_order_are_passed_over(skip: NetworkWeights) -> None:
    parts = [coupled(0, 3000), coupled(8, 3), coupled(1, 1000)]
    weights = fit_network(parts, SKIP_ONLY, progress=quiet)
    np.testing.assert_allclose(weights.skip.own, skip.skip.own, atol=1e-6)


def test_a_correction_that_helps_is_kept_and_survives_rounding(corrected: NetworkWeights) -> None:
    assert corrected.correction is not None
    rows = predictable(9, 2000)
    alone = NetworkWeights(config=SMALL, skip=corrected.skip)
    for precision in (Precision.FP32, Precision.INT4_ROUTED):
        with_it, without = (
            np.square(residual(weights, rows, precision)).mean() for weights in (corrected, alone)
        )
        assert with_it < 0.6 * without


def test_a_corrected_network_keeps_its_tensors(corrected: NetworkWeights) -> None:
    again = NetworkWeights.from_tensors(corrected.to_tensors(), corrected.config)
    rows = predictable(10, 400)
    mask = np.arange(100) % 7 == 0
    np.testing.assert_array_equal(
        Network(again).run(rows, mask), Network(corrected).run(rows, mask)
    )


def test_a_correction_of_noise_is_left_out() -> None:
    said: list[str] = []
    weights = fit_network(
        [coupled(0, 2000)], SMALL, progress=lambda stage, share: said.append(stage)
    )
    assert weights.correction is None
    assert any('left out' in stage for stage in said)


def test_a_recording_too_short_for_a_correction_gets_the_skip() -> None:
    assert fit_network([coupled(0, 60)], SMALL, progress=quiet).correction is None


def test_a_correction_may_be_declined() -> None:
    weights = fit_network([predictable(0, 600)], SMALL, progress=quiet, with_correction=False)
    assert weights.correction is None


ROSA = Path(__file__).parents[3] / 'shared' / 'data' / 'dev' / 'rosa.npz'


@pytest.mark.skipif(not ROSA.exists(), reason=f'{ROSA} is absent')
def test_real_transients_keep_their_residual_at_4_bits() -> None:
    with np.load(ROSA) as data:
        rows, run = data['train_0'][:7100].astype(float), data['test_13'].astype(float)
    rows, run = rows - rows[:62].mean(axis=0), run - run[:62].mean(axis=0)
    scale = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
    config = Config(model=ModelConfig(blocks=0))
    weights = fit_network([(rows / scale).astype(np.float32)], config, progress=quiet)
    run = (run / scale).astype(np.float32)
    linear = dataclasses.replace(weights.skip.linear, is_wide=False)
    narrow = dataclasses.replace(weights, skip=dataclasses.replace(weights.skip, linear=linear))
    exact, never, always = (
        residual(narrow, run, precision) / weights.skip.spread
        for precision in (Precision.FP32, Precision.INT4_NEVER, Precision.INT4_ALWAYS)
    )
    power = np.square(exact).sum()
    assert np.square(always - exact).sum() < 0.15 * power
    assert np.square(always - exact).sum() < 0.5 * np.square(never - exact).sum()
