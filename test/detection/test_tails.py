from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.tails import (
    HEAVY,
    Tail,
    fit_tail,
    log_survivals,
    pareto_scale,
    tabulate,
)
from taolora_ros.errors import CalibrationError


def _pareto(shape: float, scale: float, count: int, seed: int = 1) -> np.ndarray:
    uniform = np.random.default_rng(seed).uniform(size=count)
    return scale * (uniform**-shape - 1.0) / shape


def test_body_probabilities_are_those_of_the_sample() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    survival = np.exp(fit_tail(values).log_survival(np.array([0.0, -1.0, 1.0])))
    assert survival == pytest.approx([0.5, 0.841, 0.159], abs=0.01)


def test_a_pareto_tail_is_extrapolated_rightly() -> None:
    tail = fit_tail(_pareto(HEAVY, 2.0, 200_000))
    x = 2.0 * (1e-6**-HEAVY - 1.0) / HEAVY  # exceeded once in a million
    assert tail.log_survival(np.array([x]))[0] == pytest.approx(np.log(1e-6), rel=0.05)


def test_an_exponential_tail_is_extrapolated_rightly() -> None:
    values = np.random.default_rng(2).exponential(3.0, size=200_000)
    tail = fit_tail(values, shape=0.0)
    assert tail.log_survival(np.array([30.0]))[0] == pytest.approx(-10.0, rel=0.05)


@pytest.mark.parametrize('shape', [0.0, 0.25, 0.5])
def test_the_scale_is_that_of_the_law_whatever_its_shape(shape: float) -> None:
    if shape:
        excesses = _pareto(shape, 2.0, 100_000)
    else:
        excesses = np.random.default_rng(3).exponential(2.0, size=100_000)
    assert pareto_scale(excesses, shape) == pytest.approx(2.0, rel=0.02)


def test_a_few_odd_values_in_the_tail_hardly_move_it() -> None:
    values = np.random.default_rng(4).exponential(size=10_000)
    plain = fit_tail(values)
    values[:50] = 1e6
    assert fit_tail(values).scale == pytest.approx(plain.scale, rel=0.2)


def test_a_value_that_most_normal_hops_have_is_no_surprise() -> None:
    values = np.zeros(1000)
    values[:20] = np.linspace(1.0, 2.0, 20)
    survival = fit_tail(values).log_survival(np.array([0.0, 1.5]))
    assert survival[0] == 0.0
    assert survival[1] < np.log(0.05)


def test_survival_falls_and_never_reaches_zero() -> None:
    tail = fit_tail(np.random.default_rng(4).normal(size=2_000))
    logs = tail.log_survival(np.linspace(-10.0, 1e6, 5_000))
    assert np.all(np.diff(logs) <= 1e-12)
    assert np.isfinite(logs).all()


def test_between_two_points_of_the_body_the_level_is_interpolated() -> None:
    body = np.array([0.0, 1.0, 1.0, 3.0, 4.0])
    tail = Tail(body, share=0.2, scale=2.0, shape=0.25)
    values = np.array([-np.inf, -1.0, 0.5, 1.0, 2.0, 3.5, 4.0])
    # Levels 0, 0.2, 0.4, 0.6, 0.8; the first of two equal points counts.
    below = [0.0, 0.0, 0.1, 0.2, 0.4, 0.7, 0.8]
    np.testing.assert_allclose(tail.log_survival(values), np.log1p(np.negative(below)))
    beyond = tail.log_survival(np.array([6.0, np.inf, np.nan]))
    np.testing.assert_allclose(beyond, [np.log(0.2) - np.log(1.25) / 0.25, -np.inf, np.nan])


def test_tails_side_by_side_are_what_each_is_alone() -> None:
    generator = np.random.default_rng(5)
    tails = (
        fit_tail(generator.normal(size=500)),
        fit_tail(np.full(200, 2.0)),
        Tail(np.array([0.0, 1.0]), share=0.5, scale=1.0, shape=0.0),
    )
    values = 3.0 * generator.normal(size=(50, 3))
    alone = [tail.log_survival(column) for tail, column in zip(tails, values.T, strict=True)]
    np.testing.assert_array_equal(log_survivals(values, tabulate(tails)).T, alone)


def test_too_few_values_say_how_many_are_needed() -> None:
    with pytest.raises(CalibrationError, match='99 normal hops are too few'):
        fit_tail(np.arange(99.0))


def test_values_that_do_not_vary_still_give_a_usable_tail() -> None:
    tail = fit_tail(np.full(500, 2.0))
    assert tail.log_survival(np.array([3.0]))[0] < np.log(1e-4)
