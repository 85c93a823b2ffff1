from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.thresholds import LEVEL, AlarmRate, cluster_maxima, fit_alarm_rate

RATE = AlarmRate(level=1.3, clusters_per_hour=100.0, scale=0.4, shape=0.1, hours=2.0)


def test_threshold_leaves_the_accepted_rate() -> None:
    x = RATE.threshold(1.0)
    assert 100.0 * (1.0 + 0.1 * (x - 1.3) / 0.4) ** -10.0 == pytest.approx(1.0)


def test_fewer_accepted_alarms_raise_the_threshold() -> None:
    assert RATE.threshold(0.1) > RATE.threshold(1.0) > RATE.threshold(10.0)


def test_a_rate_above_that_of_all_clusters_gives_the_level() -> None:
    assert RATE.threshold(1000.0) == 1.3


def test_a_rate_is_supported_by_enough_normal_hours() -> None:
    assert RATE.supports(0.05)
    assert not RATE.supports(0.04)


def test_clusters_are_split_where_the_score_stayed_low() -> None:
    scores = np.array([2, 3, 0, 2, 0, 0, 0, 0, 5, 0.0])
    assert cluster_maxima(scores, 1.0, gap=3).tolist() == [3.0, 5.0]
    assert cluster_maxima(scores, 9.0, gap=3).tolist() == []


def test_fresh_normal_scores_alarm_at_about_the_accepted_rate() -> None:
    generator = np.random.default_rng(0)
    hop_s = 0.1
    # Independent hops with uniform p-values: what a perfect calibration gives.
    normal = -np.log10(generator.uniform(size=10 * 36_000))
    rate = fit_alarm_rate([normal], hop_s, merge_s=0.0)
    assert rate.hours == pytest.approx(10.0)
    fresh = -np.log10(generator.uniform(size=200 * 36_000))
    alarms = len(cluster_maxima(fresh, rate.threshold(2.0), gap=1)) / 200
    # The shape errs towards a heavy tail, so that fewer alarms come than were accepted.
    assert 0.05 < alarms < 2.5


def test_normal_data_without_any_cluster_still_give_a_threshold_above_the_level() -> None:
    rate = fit_alarm_rate([np.zeros(36_000)], 0.1, merge_s=0.5)
    assert rate.threshold(0.5) > LEVEL
