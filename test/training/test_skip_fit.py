"""The skip's regression, against a plain autoregression solved on the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Config, ModelConfig, QuantizationConfig
from taolora_ros.model.skip import skip_rows
from taolora_ros.training.skip_fit import (
    Regression,
    difference_spread,
    fit_ridge,
    plain_weights,
    regression,
)

ORDER, GROUP, INPUTS = 3, 8, 5  # 5 levels and 10 differences: both leave columns of padding
CONFIG = Config(
    model=ModelConfig(order=ORDER, blocks=0), quantization=QuantizationConfig(group=GROUP)
)


@pytest.fixture(scope='module')
def segments() -> list[np.ndarray]:
    """Two stretches of channels that move slowly together, each at its own pace."""
    generator = np.random.default_rng(8)
    made = []
    for rows in (400, 250):
        steps = generator.normal(size=(rows, INPUTS)) * [0.1, 0.2, 0.3, 0.4, 1.0]
        walks = np.zeros((rows, INPUTS))
        for row in range(1, rows):
            walks[row] = 0.97 * walks[row - 1] + 0.01 * walks[row - 1, ::-1] + steps[row]
        made.append((walks / walks.std(axis=0)).astype(np.float32))
    return made


@pytest.fixture(scope='module')
def spread(segments: list[np.ndarray]) -> np.ndarray:
    return difference_spread(segments)


@pytest.fixture(scope='module')
def rows(segments: list[np.ndarray], spread: np.ndarray) -> Regression:
    return regression(segments, spread, CONFIG)


def lagged(segments: list[np.ndarray]) -> np.ndarray:
    """[x[t-1], …, x[t-ORDER]] for each row t after the first ORDER of a segment."""
    return np.concatenate(
        [
            np.concatenate(
                [segment[ORDER - lag : len(segment) - lag] for lag in range(1, ORDER + 1)], axis=1
            )
            for segment in segments
        ]
    ).astype(np.float64)


def newest(segments: list[np.ndarray], start: int, stop: int) -> np.ndarray:
    return np.concatenate([segment[start : len(segment) + stop] for segment in segments])


def test_spread_is_the_deviation_of_differences_and_one_where_nothing_moves() -> None:
    still = np.tile(np.array([[0.0, 2.0], [2.0, 2.0]], np.float32), (50, 1))
    # Differences of +2 and -2 in turn, 50 of one and 49 of the other; then none at all.
    mean = 2.0 / 99.0
    expected = np.array([np.sqrt(4.0 - mean**2), 1.0]).astype(np.float16)
    np.testing.assert_array_equal(difference_spread([still]), expected)


def test_plain_weights_make_the_input_of_the_layer_from_the_rows(
    segments: list[np.ndarray], spread: np.ndarray
) -> None:
    made = lagged(segments) @ plain_weights(spread, order=ORDER, group=GROUP)
    expected = [skip_rows(rows, spread, order=ORDER, group=GROUP) for rows in segments]
    np.testing.assert_allclose(made, np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize('ridge', [1e-6, 1e-2, 1.0])
def test_predictions_are_those_of_a_plain_ridge_autoregression(
    segments: list[np.ndarray], spread: np.ndarray, rows: Regression, ridge: float
) -> None:
    weight = fit_ridge(rows, spread, order=ORDER, group=GROUP, ridge=ridge)
    predicted = newest(segments, ORDER - 1, -1) + spread * (rows.inputs @ weight)
    past, target = lagged(segments), newest(segments, ORDER, 0)
    gram = past.T @ past + ridge * len(past) * np.eye(ORDER * INPUTS)
    plain = np.linalg.solve(gram, past.T @ target)
    np.testing.assert_allclose(predicted, past @ plain, atol=2e-4)


def test_a_stronger_ridge_pulls_to_the_normal_mean_and_not_to_the_last_row(
    segments: list[np.ndarray], spread: np.ndarray, rows: Regression
) -> None:
    weight = fit_ridge(rows, spread, order=ORDER, group=GROUP, ridge=1e4)
    predicted = newest(segments, ORDER - 1, -1) + spread * (rows.inputs @ weight)
    assert np.abs(predicted).max() < 1e-2


def test_padding_gets_no_weight(spread: np.ndarray, rows: Regression) -> None:
    weight = fit_ridge(rows, spread, order=ORDER, group=GROUP)
    used = np.r_[0:INPUTS, GROUP : GROUP + (ORDER - 1) * INPUTS]
    assert weight.shape == (24, INPUTS)  # 5 and 10 columns, each filled up to whole groups of 8
    assert not np.delete(weight, used, axis=0).any()
