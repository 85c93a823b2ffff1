from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import (
    Evidence,
    EvidenceNorm,
    Evidences,
    SessionFeatures,
    fit_norm,
    gather,
    least_changes,
    open_norm,
)
from taolora_ros.detection.features import EvidenceWindows
from taolora_ros.detection.gathering import MUTE

INPUTS = 5
CHANNELS = 4  # the fifth input is a peak
PATCH = 4


def _noise(rows: int = 256, seed: int = 0, inputs: int = INPUTS) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, inputs))


def _features(rows: np.ndarray, residual: np.ndarray, departure: np.ndarray) -> np.ndarray:
    windows = EvidenceWindows(INPUTS)
    return np.stack(
        [
            windows.step(
                rows[start : start + PATCH],
                residual[start : start + PATCH],
                departure[start : start + PATCH],
            )
            for start in range(0, len(rows), PATCH)
        ]
    )


def _last(streams: list[np.ndarray], norm: EvidenceNorm) -> Evidences:
    features = _features(*streams)[-1]
    return gather(features, norm, np.zeros_like(features))


def _streams() -> list[np.ndarray]:
    return [_noise(), _noise(seed=1), 0.1 * _noise(seed=2, inputs=CHANNELS)]


def _session(seed: int) -> SessionFeatures:
    features = _features(
        _noise(3000, seed), _noise(3000, seed + 1), 0.1 * _noise(3000, seed + 2, CHANNELS)
    )
    return SessionFeatures(features[:50], features[50:])


@pytest.fixture(scope='module')
def norm() -> EvidenceNorm:
    return fit_norm([_session(seed) for seed in (10, 20, 30)], np.full(INPUTS, 32))


def test_statistics_gather_their_features() -> None:
    features = np.zeros((len(Evidence), 2))
    features[Evidence.BURST] = [1.0, 3.0]
    features[Evidence.CHANGE] = [-5.0, 2.0]
    features[Evidence.DRIFT] = [-5.0, 0.0]
    features[Evidence.RELATION] = [4.0, 1.0]
    seen = gather(features, open_norm(2), np.zeros_like(features))
    assert seen.values[Evidence.BURST] == pytest.approx(np.log(5.0 + 1e-3))
    assert seen.values[Evidence.CHANGE] == pytest.approx(np.log(2.0 + 1e-3))
    assert seen.values[Evidence.DRIFT] == pytest.approx(np.log(12.5 + 1e-3))  # either sign counts
    assert seen.values[Evidence.RELATION] == 4.0
    assert seen.shares[Evidence.BURST].tolist() == [0.1, 0.9]
    assert seen.shares[Evidence.CHANGE].tolist() == [0.0, 1.0]
    assert seen.shares[Evidence.LEVEL].tolist() == [0.0, 0.0]


def test_the_norm_puts_the_median_at_zero_and_one_hop_in_a_hundred_above_one(
    norm: EvidenceNorm,
) -> None:
    features = np.concatenate([_session(seed).features for seed in (40, 50, 60)])
    z = (features - norm.center) / norm.spread
    assert np.median(z[:, Evidence.BURST]) == pytest.approx(0.0, abs=0.05)
    assert np.mean(z[:, Evidence.BURST] > 1.0) == pytest.approx(0.01, abs=0.005)
    assert np.mean(z[:, Evidence.STILLNESS] > 0.0) < 0.01  # only what is stiller than ever counts


def test_a_session_of_its_own_kind_is_judged_by_its_warm_up() -> None:
    generator = np.random.default_rng(0)
    levels = [0.0, 8.0, -8.0, 4.0]
    shape = (len(Evidence), 1)
    sessions = [
        SessionFeatures(
            level + generator.normal(size=(50, *shape)),
            level + generator.normal(size=(500, *shape)),
        )
        for level in levels
    ]
    fitted = fit_norm(sessions, np.array([32]))
    offset = fitted.offset(np.full((50, *shape), 20.0))
    # Levels spread by 7, medians of 25 hops by 0.25: nearly all of the departure is believed.
    assert offset[Evidence.CHANGE, 0] == pytest.approx(20.0 - fitted.typical[0, 0], rel=0.01)
    # What differs between sessions can't be said to have never been.
    assert fitted.spread[Evidence.STILLNESS, 0] > 1e6


@pytest.mark.parametrize(
    ('evidence', 'stream'),
    [(Evidence.BURST, 1), (Evidence.CHANGE, 1), (Evidence.LEVEL, 0), (Evidence.RELATION, 2)],
)
def test_each_statistic_rises_with_its_fault_and_names_the_input(
    evidence: Evidence, stream: int, norm: EvidenceNorm
) -> None:
    streams = _streams()
    usual = _last(streams, norm).values[evidence]
    streams[stream][-40:, 2] += 8.0
    seen = _last(streams, norm)
    assert seen.values[evidence] > usual + 0.4
    assert seen.shares[evidence].argmax() == 2


def test_a_frozen_channel_is_stiller_than_ever(norm: EvidenceNorm) -> None:
    streams = _streams()
    assert _last(streams, norm).values[Evidence.STILLNESS] <= 0.5
    streams[0][-40:, 2] = streams[0][-40, 2]
    seen = _last(streams, norm)
    assert seen.values[Evidence.STILLNESS] > 15.0
    assert seen.shares[Evidence.STILLNESS].argmax() == 2


def test_coarse_inputs_and_unexplained_ones_have_no_say() -> None:
    generator = np.random.default_rng(0)
    sessions = []
    for _ in range(3):
        features = generator.normal(size=(1000, len(Evidence), 2))
        features[:, Evidence.RELATION] += [-5.0, 0.0]  # the second input is hardly explained
        sessions.append(SessionFeatures(features[:50], features[50:]))
    fitted = fit_norm(sessions, np.array([2, 32]))  # the first stands still at times
    strange = np.full((len(Evidence), 2), 30.0)
    seen = gather(strange, fitted, np.zeros_like(strange))
    assert seen.shares[Evidence.STILLNESS].round(6).tolist() == [0.0, 1.0]
    assert seen.shares[Evidence.RELATION].round(6).tolist() == [1.0, 0.0]


def test_least_changes_counts_the_stillest_stretch() -> None:
    rows = _noise(200, inputs=2).astype(np.float32)
    rows[50:80, 1] = 1.0  # 29 steps without a change; a window of 32 steps has three around them
    assert least_changes([_noise(100, inputs=2).astype(np.float32), rows]).tolist() == [32, 3]


def test_many_hops_at_once_are_what_each_is_alone(norm: EvidenceNorm) -> None:
    features = _session(70).features[:40]
    offset = 0.1 * np.ones_like(norm.center)
    z = norm.departures(features, offset)
    values = gather(features, norm, offset).values
    for hop, row in enumerate(features):
        seen = gather(row, norm, offset)
        np.testing.assert_array_equal(seen.values, values[hop])
        np.testing.assert_array_equal(norm.departures(row, offset), z[hop])
        squares = np.maximum(z[hop], 0.0) ** 2
        totals = squares.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(seen.shares * totals, squares, rtol=1e-13)


def test_departures_equal_their_formula_and_what_is_muted_has_none(norm: EvidenceNorm) -> None:
    muted = norm.spread.copy()
    muted[Evidence.STILLNESS, 1] = MUTE
    norm = EvidenceNorm(norm.typical, norm.shrink, norm.center, muted)
    features, offset = _session(70).features[:9], 0.1 * np.ones_like(muted)
    expected = (features - offset - norm.center) / muted
    expected[:, [Evidence.LEVEL, Evidence.DRIFT]] = np.abs(
        expected[:, [Evidence.LEVEL, Evidence.DRIFT]]
    )
    expected[:, Evidence.STILLNESS, 1] = 0.0
    np.testing.assert_allclose(norm.departures(features, offset), expected, rtol=1e-12)


def test_a_feature_that_is_not_a_number_spoils_its_own_statistic_alone(
    norm: EvidenceNorm,
) -> None:
    features = np.zeros_like(norm.center)
    features[Evidence.CHANGE, 1] = features[Evidence.RELATION, 0] = np.nan
    seen = gather(features, norm, np.zeros_like(features))
    spoiled = [Evidence.CHANGE, Evidence.RELATION]
    assert np.flatnonzero(np.isnan(seen.values)).tolist() == spoiled
    assert np.flatnonzero(np.isnan(seen.shares).any(axis=1)).tolist() == spoiled
