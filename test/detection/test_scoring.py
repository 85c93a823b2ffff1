from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import Evidence, Evidences
from taolora_ros.detection.scoring import (
    ScoreCalibration,
    combine,
    decades,
    score,
    surprise,
)
from taolora_ros.detection.tails import fit_tail

STATISTICS, INPUTS = len(Evidence), 8


def _calibration() -> tuple[ScoreCalibration, np.ndarray]:
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(20_000, STATISTICS))
    tails = tuple(fit_tail(column) for column in normal.T)
    sums = combine(surprise(normal, tails))
    fresh = generator.normal(size=(20_000, STATISTICS))
    return ScoreCalibration(tails, fit_tail(sums, shape=0.0)), fresh


def _evidences(values: np.ndarray) -> Evidences:
    shares = np.zeros((STATISTICS, INPUTS))
    shares[np.arange(STATISTICS), np.arange(STATISTICS)] = 1.0
    return Evidences(values, shares)


def test_p_values_of_fresh_normal_hops_are_uniform() -> None:
    calibration, fresh = _calibration()
    p_values = np.array([score(_evidences(row), calibration).p_value for row in fresh])
    for level in (0.5, 0.1, 0.05):
        assert np.mean(p_values < level) == pytest.approx(level, rel=0.1)
    # Beyond what was seen, the heavy tail errs on the quiet side.
    assert 0.0002 < np.mean(p_values < 0.002) < 0.0025


def test_the_score_counts_decades_and_the_p_value_falls_with_it() -> None:
    calibration, _ = _calibration()
    values = np.zeros((2, STATISTICS))
    values[:, Evidence.BURST] = [20.0, 40.0]
    weak, strong = (score(_evidences(row), calibration) for row in values)
    assert strong.value > weak.value > 3.0
    assert strong.p_value < weak.p_value < 1e-3
    assert decades(np.array([np.log(1000.0)]))[0] == pytest.approx(3.0)


def test_the_input_behind_the_strangest_statistic_has_the_largest_share() -> None:
    calibration, _ = _calibration()
    values = np.zeros(STATISTICS)
    values[Evidence.CHANGE] = 30.0
    scored = score(_evidences(values), calibration)
    assert scored.shares.argmax() == Evidence.CHANGE
    assert scored.shares.sum() == pytest.approx(1.0)


def test_a_hop_without_any_surprise_shares_evenly() -> None:
    calibration, _ = _calibration()
    nothing = Evidences(np.full(STATISTICS, -9.0), np.zeros((STATISTICS, INPUTS)))
    assert score(nothing, calibration).shares.tolist() == [1.0 / INPUTS] * INPUTS


def test_two_lasting_statistics_add_up_and_the_others_stand_alone() -> None:
    surprises = np.zeros((4, STATISTICS))
    surprises[0, [Evidence.CHANGE, Evidence.VARIANCE, Evidence.LEVEL]] = [6.0, 4.0, 2.0]
    surprises[1, [Evidence.BURST, Evidence.RELATION, Evidence.CHANGE]] = [9.0, 8.0, 3.0]
    surprises[2, Evidence.DRIFT] = 8.0
    assert combine(surprises).tolist() == [7.5, 9.0, 6.0, 0.0]


def test_many_hops_at_once_score_as_each_does_alone() -> None:
    calibration, fresh = _calibration()
    together = combine(surprise(fresh[:200], calibration.tails))
    alone = [score(_evidences(row), calibration).value for row in fresh[:200]]
    np.testing.assert_array_equal(decades(together), alone)


def test_shares_weigh_each_statistic_by_its_surprise() -> None:
    calibration, fresh = _calibration()
    surprises = surprise(fresh[:1], calibration.tails)[0]
    shares = np.random.default_rng(6).uniform(size=(STATISTICS, INPUTS))
    expected = surprises @ shares
    scored = score(Evidences(fresh[0], shares), calibration)
    np.testing.assert_allclose(scored.shares, expected / expected.sum(), rtol=1e-13)


def test_a_statistic_that_is_not_a_number_makes_the_score_one_too() -> None:
    surprises = np.ones((2, STATISTICS))
    surprises[0, Evidence.LEVEL] = surprises[1, Evidence.BURST] = np.nan
    assert np.isnan(combine(surprises)).all()
