"""Intervals against textbook values and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from taolora_ros.evaluation.intervals import (
    bootstrap_mean,
    clustered_share,
    paired_difference,
    ratio_of_sums,
    share_interval,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_interval_of_a_mean_is_as_wide_as_students(rng: np.random.Generator) -> None:
    values = rng.normal(size=16)
    interval = bootstrap_mean(values)
    assert interval.low is not None
    assert interval.high is not None
    student = 2 * t.ppf(0.975, 15) * values.std(ddof=1) / 4
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(student, rel=0.1)


def test_interval_is_the_same_each_time() -> None:
    assert bootstrap_mean([0.1, 0.5, 0.9]) == bootstrap_mean([0.1, 0.5, 0.9])


def test_interval_of_equal_values_is_a_point() -> None:
    interval = bootstrap_mean([0.25] * 5)
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_one_series_has_no_interval() -> None:
    interval = bootstrap_mean([0.7])
    assert (interval.mean, interval.low, interval.high) == (0.7, None, None)


def test_pairing_takes_out_what_the_series_share(rng: np.random.Generator) -> None:
    hardness = rng.normal(scale=10.0, size=20)
    interval = paired_difference(hardness + 1.0 + rng.normal(scale=0.1, size=20), hardness)
    assert interval.low is not None
    assert interval.low > 0.9


def test_methods_on_different_series_are_no_pairs() -> None:
    with pytest.raises(ValueError, match='broadcast'):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0])


def test_ratio_weighs_recordings_by_their_denominator() -> None:
    interval = ratio_of_sums([9.0, 0.0, 1.0], [10.0, 0.0, 10.0])
    assert interval.mean == pytest.approx(0.5)
    assert interval.low is not None
    assert interval.low >= 0.1


@pytest.mark.parametrize(('above', 'below'), [([1.0], [0.0]), ([np.nan], [1.0]), ([], [])])
def test_ratio_that_does_not_exist_is_refused(above: list[float], below: list[float]) -> None:
    with pytest.raises(ValueError, match='denominator above 0'):
        ratio_of_sums(above, below)


def test_share_of_none_lost_has_the_exact_lower_end() -> None:
    # All of n found: the lower end p solves pⁿ = 0.025.
    interval = share_interval(500, 500)
    assert interval.low == pytest.approx(0.025 ** (1 / 500))
    assert interval.high == 1.0


def test_events_of_one_recording_are_not_independent() -> None:
    found = np.repeat([True, False], 50)
    interval = clustered_share(found, ['a'] * 50 + ['b'] * 50)
    assert interval.mean == pytest.approx(0.5)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_share_over_recordings_is_never_surer_than_over_independent_events() -> None:
    everything = clustered_share(np.ones(40, np.bool_), [f'r{row % 8}' for row in range(40)])
    assert everything == share_interval(40, 40)
    alone = clustered_share(np.array([True, False]), ['a', 'a'])
    assert alone == share_interval(1, 2)
