"""How large each input is while it is rounded."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.quantization.octaves import decode
from taolora_ros.quantization.smoothing import fit_smoothing


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def cost(smooth: np.ndarray, x: np.ndarray, weight: np.ndarray) -> float:
    """What rounding a rotated group costs: power of the inputs times power of the weights."""
    return float(((x / smooth) ** 2).mean(axis=0).sum() * ((weight.T * smooth) ** 2).sum())


def test_no_other_factors_cost_less(rng: np.random.Generator) -> None:
    x = rng.normal(size=(500, 8)) * np.exp(rng.normal(size=8))
    weight = rng.normal(size=(8, 3)) * np.exp(rng.normal(size=(8, 1)))
    best = decode(fit_smoothing((x**2).mean(axis=0), weight, np.arange(x.shape[1])))
    least = cost(best, x, weight)
    assert least < 0.8 * cost(np.ones(8), x, weight)
    for _ in range(50):
        other = best * np.exp(0.3 * rng.normal(size=8))
        assert cost(other, x, weight) > 0.99 * least  # an eighth of an octave is coarse


def test_factors_worked_out_by_hand() -> None:
    power = np.array([1.0, 16.0, 4.0]) ** 2
    weight = np.array([[4.0], [1.0], [1.0]])
    # √(1/4), √(16/1) and √(4/1) are −1, 2 and 1 octaves, less their mean of ⅔
    found = fit_smoothing(power, weight, np.arange(3))
    assert found.tolist() == [round(8 * n / 3) for n in (-5, 4, 1)]


def test_inputs_that_share_a_factor_get_the_mean_of_theirs_and_padding_has_no_say() -> None:
    power = np.array([1.0, 16.0, 4.0, 0.0]) ** 2
    weight = np.array([[4.0], [1.0], [1.0], [0.0]])
    # as above: −5/3, 4/3 and 1/3 octaves, of which the first and the last share one
    found = fit_smoothing(power, weight, np.array([0, 1, 0, 0]))
    assert found.tolist() == [round(8 * -2 / 3), round(8 * 4 / 3)]


def test_padding_keeps_its_size_and_an_input_of_no_use_becomes_small() -> None:
    power = np.array([1.0, 4.0, 0.0, 9.0]) ** 2
    weight = np.array([[1.0], [1.0], [0.0], [0.0]])
    smooth = fit_smoothing(power, weight, np.arange(len(power)))
    assert smooth[2] == 0
    assert smooth[3] == smooth[:2].max()


def test_nothing_at_all_leaves_all_as_they_are() -> None:
    assert (fit_smoothing(np.zeros(8), np.zeros((8, 2)), np.arange(8)) == 0).all()


def test_extremes_are_held_to_a_thousandth_and_a_thousandfold() -> None:
    smooth = fit_smoothing(np.array([1e-40, 1.0, 1e40]), np.ones((3, 2)), np.arange(3))
    assert decode(smooth).tolist() == [2.0**-10, 1.0, 2.0**10]
