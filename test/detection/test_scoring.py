from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import Evidences
from taolora_ros.detection.scoring import (
    ScoreCalibration,
    Scorer,
    combine,
    offsets,
    surprise,
)
from taolora_ros.detection.tails import fit_tail

STATISTICS, INPUTS = 3, 4


def _calibration(shrink: float = 0.0) -> tuple[ScoreCalibration, np.ndarray]:
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(20_000, STATISTICS))
    tails = tuple(fit_tail(column) for column in normal.T)
    sums = np.array([combine(surprise(row, tails)) for row in normal])
    calibration = ScoreCalibration(
        np.zeros(STATISTICS), np.full(STATISTICS, shrink), tails, fit_tail(sums)
    )
    return calibration, generator.normal(size=(20_000, STATISTICS))


def _evidences(values: np.ndarray) -> Evidences:
    shares = np.zeros((STATISTICS, INPUTS))
    shares[np.arange(STATISTICS), np.arange(STATISTICS)] = 1.0
    return Evidences(np.zeros((STATISTICS, INPUTS)), values, shares)


def test_p_values_of_fresh_normal_hops_are_uniform() -> None:
    calibration, fresh = _calibration()
    scorer = Scorer(calibration)
    p_values = np.array([scorer.score(_evidences(row)).p_value for row in fresh])
    for level in (0.5, 0.1, 0.05):
        assert np.mean(p_values < level) == pytest.approx(level, rel=0.1)
    # Beyond what was seen, the heavy tail errs on the quiet side.
    assert 0.0002 < np.mean(p_values < 0.002) < 0.0025


def test_the_score_is_minus_the_decimal_logarithm_of_the_p_value() -> None:
    calibration, _ = _calibration()
    score = Scorer(calibration).score(_evidences(np.array([20.0, 0.0, 0.0])))
    assert score.value == pytest.approx(-np.log10(score.p_value))
    assert score.value > 3.0


def test_the_input_behind_the_strangest_statistic_has_the_largest_share() -> None:
    calibration, _ = _calibration()
    score = Scorer(calibration).score(_evidences(np.array([0.0, 9.0, 0.0])))
    assert score.shares.argmax() == 1
    assert score.shares.sum() == pytest.approx(1.0)


def test_a_hop_without_any_surprise_shares_evenly() -> None:
    calibration, _ = _calibration()
    nothing = Evidences(np.zeros((3, 4)), np.full(3, -9.0), np.zeros((3, 4)))
    assert Scorer(calibration).score(nothing).shares.tolist() == [0.25] * 4


def test_a_session_with_its_own_level_of_evidence_is_scored_about_it() -> None:
    calibration, _ = _calibration(shrink=1.0)
    scorer = Scorer(calibration)
    high = np.full(STATISTICS, 5.0)
    before = scorer.score(_evidences(high)).value
    scorer.rebase(np.tile(high, (50, 1)))
    assert scorer.score(_evidences(high)).value < 1.0 < before
    scorer.reset()
    assert scorer.score(_evidences(high)).value == before


def test_offsets_take_the_later_half_of_the_warm_up_and_shrink_it() -> None:
    warmup = np.array([[100.0], [100.0], [3.0], [3.0]])
    assert offsets(warmup, np.array([1.0]), np.array([0.5])).tolist() == [1.0]
    assert offsets(warmup[:0], np.array([1.0]), np.array([0.5])).tolist() == [0.0]
