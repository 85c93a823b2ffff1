from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.config import Config, DetectionConfig, IngestConfig, WindowConfig
from taolora_ros.detection.evidence import (
    Evidence,
    SessionFeatures,
    fit_norm,
    gather,
)
from taolora_ros.detection.scoring import score
from taolora_ros.detection.tails import fit_tail
from taolora_ros.detection.thresholds import SHARE
from taolora_ros.detection.watch import warmup_rows
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Recording
from taolora_ros.training.calibration import WatchedSession, calibrate, watch_session
from taolora_ros.training.sessions import Session

INPUTS = 3
CHANGES = np.full(INPUTS, 32)  # every input changes with every row
CONFIG = Config(
    ingest=IngestConfig(sample_rate_hz=100.0),
    window=WindowConfig(patch=4, length=128),
    detection=DetectionConfig(warmup_s=2.0),
)


def session(seed: int, hops: int = 400) -> WatchedSession:
    """Features that vary about a level of the session's own."""
    generator = np.random.default_rng(seed)
    level = generator.normal(size=(len(Evidence), INPUTS))
    shape = (50 + hops, len(Evidence), INPUTS)
    features = level - 3.0 + 0.5 * generator.normal(size=shape)
    return WatchedSession(SessionFeatures(features[:50], features[50:]), ())


def through(norm_of: list[WatchedSession], seen: WatchedSession) -> np.ndarray:
    """Statistics of a session as a detector trained on others sees them."""
    norm = fit_norm([other.features for other in norm_of], CHANGES)
    offset = norm.offset(seen.features.warmup)
    return gather(seen.features.features, norm, offset).values


def test_tails_see_each_session_through_a_norm_fitted_to_the_others() -> None:
    first, second, third = sessions = [session(seed) for seed in range(3)]
    seen = np.concatenate(
        [
            through([second, third], first),
            through([first, third], second),
            through([first, second], third),
        ]
    )
    tails = calibrate(sessions, CHANGES, CONFIG).scores.tails
    for evidence in Evidence:
        expected = fit_tail(seen[:, evidence], min_scale=0.3)
        np.testing.assert_array_equal(tails[evidence].body, expected.body)
        assert tails[evidence].scale == expected.scale


def test_what_one_session_alone_does_ends_in_the_tail_and_not_in_the_normal_range() -> None:
    sessions = [session(seed) for seed in range(8)]
    usual = calibrate(sessions, CHANGES, CONFIG).scores.tails[Evidence.DRIFT]
    sessions[0].features.features[:, Evidence.DRIFT] += 100.0
    odd = calibrate(sessions, CHANGES, CONFIG).scores.tails[Evidence.DRIFT]
    # An eighth of the hops lies beyond all that the norm of the others knows: 100 deviations of
    # 0.5 within a session and 1 between sessions, squared, are e-folds by the dozen.
    assert odd.start > usual.start + 5.0


def test_the_norm_of_the_detector_is_fitted_to_all_sessions() -> None:
    sessions = [session(seed) for seed in range(4)]
    norm = calibrate(sessions, CHANGES, CONFIG).norm
    expected = fit_norm([each.features for each in sessions], CHANGES)
    np.testing.assert_array_equal(norm.center, expected.center)
    np.testing.assert_array_equal(norm.spread, expected.spread)
    assert norm.shrink[Evidence.CHANGE].min() > 0.9  # sessions differ, and warm-ups tell how


def test_without_re_basing_no_warm_up_is_believed() -> None:
    detection = dataclasses.replace(CONFIG.detection, warmup_s=0.0)
    config = dataclasses.replace(CONFIG, detection=detection)
    norm = calibrate([session(seed) for seed in range(4)], CHANGES, config).norm
    assert not norm.shrink.any()


def test_fresh_sessions_of_the_same_kind_get_uniform_p_values() -> None:
    calibration = calibrate([session(seed) for seed in range(20)], CHANGES, CONFIG)
    p_values = []
    for seed in range(100, 120):
        seen = session(seed).features
        offset = calibration.norm.offset(seen.warmup)
        hops = [gather(row, calibration.norm, offset) for row in seen.features[::10]]
        p_values += [score(hop, calibration.scores).p_value for hop in hops]
    # 800 hops of 20 sessions: sessions, not hops, are what is independent.
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.15)
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_alarms_are_counted_over_the_normal_hours_and_once_in_128_rows() -> None:
    alarms = calibrate([session(seed) for seed in range(5)], CHANGES, CONFIG).alarms
    assert alarms.hours == pytest.approx(5 * 400 * 0.04 / 3600.0)
    # 400 hops hold 7 to 13 peaks more than 32 hops apart, of which the tail takes one in so many.
    assert 5 * 7 // SHARE <= round(alarms.peaks_per_hour * alarms.hours) <= 5 * 13 // SHARE


def test_too_few_hops_say_how_many_are_needed() -> None:
    with pytest.raises(CalibrationError, match=r'98 normal hops are too few .* at least 100'):
        calibrate([session(0, hops=49), session(1, hops=49)], CHANGES, CONFIG)


def test_a_session_is_watched_from_its_warm_up_on(
    rotor_model: DetectorModel, make_rotor: Callable[[float, int], Recording]
) -> None:
    recording = make_rotor(10.0, 5)
    warmup = warmup_rows(rotor_model.config) // 4
    rows = Session(recording.values, recording.peaks, fold=0, lead=warmup * 4)
    watched = watch_session(rotor_model.watch, rows)
    inputs = rotor_model.watch.network.inputs
    assert watched.features.warmup.shape == (warmup, len(Evidence), inputs)
    assert watched.features.features.shape == (250 - warmup, len(Evidence), inputs)
    assert len(watched.routings) == 250 - warmup
