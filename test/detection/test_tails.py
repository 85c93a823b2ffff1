from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.tails import MAX_SHAPE, MIN_SHAPE, fit_tail
from taolora_ros.errors import CalibrationError


def test_body_probabilities_are_those_of_the_sample() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    tail = fit_tail(values)
    for value, survival in ((0.0, 0.5), (-1.0, 0.841), (1.0, 0.159)):
        assert np.exp(tail.log_survival(value)) == pytest.approx(survival, abs=0.01)


def test_a_pareto_tail_is_extrapolated_rightly() -> None:
    shape, scale = 0.5, 2.0
    uniform = np.random.default_rng(1).uniform(size=200_000)
    values = scale * (uniform**-shape - 1.0) / shape
    tail = fit_tail(values)
    assert tail.shape == pytest.approx(shape, abs=0.1)
    x = scale * (1e-6**-shape - 1.0) / shape  # exceeded once in a million
    assert tail.log_survival(x) == pytest.approx(np.log(1e-6), rel=0.12)


def test_a_light_tail_is_given_the_least_shape() -> None:
    tail = fit_tail(np.random.default_rng(2).uniform(size=10_000))
    assert tail.shape == MIN_SHAPE


def test_the_shape_never_reaches_an_infinite_mean() -> None:
    uniform = np.random.default_rng(3).uniform(size=5_000)
    assert fit_tail(uniform**-3.0).shape == MAX_SHAPE


def test_survival_falls_and_never_reaches_zero() -> None:
    tail = fit_tail(np.random.default_rng(4).normal(size=2_000))
    logs = [tail.log_survival(value) for value in np.linspace(-10.0, 1e6, 5_000)]
    assert np.all(np.diff(logs) <= 1e-12)
    assert np.isfinite(logs).all()


def test_too_few_values_say_how_many_are_needed() -> None:
    with pytest.raises(CalibrationError, match='99 normal hops are too few'):
        fit_tail(np.arange(99.0))


def test_values_that_do_not_vary_still_give_a_usable_tail() -> None:
    tail = fit_tail(np.full(500, 2.0))
    assert tail.log_survival(3.0) < np.log(1e-4)
