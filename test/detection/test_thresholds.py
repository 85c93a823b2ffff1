from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.thresholds import (
    USUAL_SCALE,
    AlarmRate,
    fit_alarm_rate,
    separate_peaks,
)

RATE = AlarmRate(level=1.3, peaks_per_hour=100.0, scale=0.4, hours=2.0)


def test_threshold_leaves_the_accepted_rate() -> None:
    x = RATE.threshold(1.0)
    assert 100.0 * np.exp(-(x - 1.3) / 0.4) == pytest.approx(1.0)


def test_fewer_accepted_alarms_raise_the_threshold() -> None:
    assert RATE.threshold(0.1) > RATE.threshold(1.0) > RATE.threshold(10.0)


def test_a_rate_above_that_of_all_peaks_gives_the_level() -> None:
    assert RATE.threshold(1000.0) == 1.3


def test_a_rate_is_supported_by_enough_normal_hours() -> None:
    assert RATE.supports(0.05)
    assert not RATE.supports(0.04)


def test_peaks_lie_farther_apart_than_the_gap() -> None:
    scores = np.array([2, 3, 0, 2, 0, 0, 0, 0, 5, 4.0])
    assert separate_peaks(scores, gap=2).tolist() == [5.0, 3.0, 0.0]
    assert separate_peaks(scores, gap=20).tolist() == [5.0]


def test_fresh_normal_scores_alarm_at_about_the_accepted_rate() -> None:
    generator = np.random.default_rng(0)
    hop_s = 0.1
    # Independent hops with uniform p-values: what a perfect calibration gives.
    normal = -np.log10(generator.uniform(size=10 * 36_000))
    rate = fit_alarm_rate([normal], hop_s, gap=1)
    assert rate.hours == pytest.approx(10.0)
    fresh = -np.log10(generator.uniform(size=200 * 36_000))
    alarms = np.count_nonzero(fresh >= rate.threshold(1.0)) / 200
    assert alarms == pytest.approx(1.0, rel=0.6)  # ten hours hold ten such alarms


def test_odd_stretches_in_the_normal_recordings_hardly_move_the_threshold() -> None:
    # Two hours with a peak a second, each a quarter as high as that of a perfect calibration: the
    # i-th largest of 7200 is log10(7200 / (i - 0.5)) / 4.
    scores = np.zeros(5 * 7200)
    scores[::5] = np.log10(7200 / (np.arange(7200) + 0.5))[::-1] / 4
    # The 21st is the level, and the 10th to 11th lies in the middle of the 20 above it:
    # σ is log10(20.5 / 10) / 4 / log(2) = 0.11, as much the usual 0.32: 0.22 in all.
    # 0.64 + 0.22 · log(20 peaks / 2 h) = 1.13, above the log10(3600) / 4 of long recordings.
    assert fit_alarm_rate([scores], 0.2, gap=4).threshold(1.0) == pytest.approx(1.13, abs=0.01)
    for strange in (4.0, 40.0, 1e6):
        scores[:20] = strange  # four peaks
        # Now the 17th, and the 6th to 7th of the others: σ is log10(16.5 / 6) / 4 / log(2) = 0.16,
        # with the usual one 0.24, and 0.66 + 0.24 · log(10) = 1.21.
        odd = fit_alarm_rate([scores], 0.2, gap=4)
        assert odd.threshold(1.0) == pytest.approx(1.21, abs=0.01)


def test_no_scale_is_larger_than_the_usual_one() -> None:
    scores = 7.0 * np.log10(7200 / (np.arange(7200) + 0.5))
    assert fit_alarm_rate([scores], 0.2, gap=0).scale == USUAL_SCALE


def test_a_scale_leans_on_the_usual_one_where_peaks_are_few() -> None:
    generator = np.random.default_rng(2)
    rate = fit_alarm_rate([generator.uniform(size=200)], 1.0, gap=50)
    assert rate.scale == pytest.approx(USUAL_SCALE, rel=0.1)


def test_normal_data_without_any_surprise_still_give_a_threshold_above_them() -> None:
    rate = fit_alarm_rate([np.zeros(36_000)], 0.1, gap=5)
    assert rate.threshold(0.5) >= 0.0
    assert rate.peaks_per_hour > 0.0
