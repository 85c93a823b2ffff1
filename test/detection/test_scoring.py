from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import Evidences
from taolora_ros.detection.scoring import (
    ScoreCalibration,
    combine,
    score,
    surprise,
)
from taolora_ros.detection.tails import fit_tail

STATISTICS, INPUTS = 3, 4


def _calibration() -> tuple[ScoreCalibration, np.ndarray]:
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(20_000, STATISTICS))
    tails = tuple(fit_tail(column) for column in normal.T)
    sums = np.array([combine(surprise(row, tails)) for row in normal])
    return ScoreCalibration(tails, fit_tail(sums)), generator.normal(size=(20_000, STATISTICS))


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


def test_the_score_is_minus_the_decimal_logarithm_of_the_p_value() -> None:
    calibration, _ = _calibration()
    scored = score(_evidences(np.array([20.0, 0.0, 0.0])), calibration)
    assert scored.value == pytest.approx(-np.log10(scored.p_value))
    assert scored.value > 3.0


def test_the_input_behind_the_strangest_statistic_has_the_largest_share() -> None:
    calibration, _ = _calibration()
    scored = score(_evidences(np.array([0.0, 9.0, 0.0])), calibration)
    assert scored.shares.argmax() == 1
    assert scored.shares.sum() == pytest.approx(1.0)


def test_a_hop_without_any_surprise_shares_evenly() -> None:
    calibration, _ = _calibration()
    nothing = Evidences(np.full(3, -9.0), np.zeros((3, 4)))
    assert score(nothing, calibration).shares.tolist() == [0.25] * 4


def test_one_strong_statistic_counts_among_quiet_ones() -> None:
    assert combine(np.array([12.0, 0.0, 0.0])) == 12.0
    assert combine(np.array([3.0, 4.0, 0.0])) == 5.0
