from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import (
    Evidence,
    EvidenceNorm,
    Evidences,
    EvidenceWindows,
    fit_norm,
    gather,
    least_changes,
    open_norm,
    stillness,
)

INPUTS = 5
CHANNELS = 4  # the fifth input is a peak
PATCH = 4


def _noise(rows: int = 256, seed: int = 0, inputs: int = INPUTS) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, inputs))


def _run(
    rows: np.ndarray, residual: np.ndarray, departure: np.ndarray, norm: EvidenceNorm
) -> list[Evidences]:
    windows = EvidenceWindows(norm)
    return [
        windows.step(
            rows[start : start + PATCH],
            residual[start : start + PATCH],
            departure[start : start + PATCH],
        )
        for start in range(0, len(rows), PATCH)
    ]


@pytest.fixture(scope='module')
def norm() -> EvidenceNorm:
    streams = (_noise(8000, 10), _noise(8000, 11), 0.1 * _noise(8000, 12, CHANNELS))
    seen = _run(*streams, open_norm(INPUTS))
    return fit_norm(np.stack([hop.features for hop in seen[50:]]), np.full(INPUTS, 32))


def test_features_equal_their_formulas() -> None:
    u, r, d = _noise(), _noise(seed=1), _noise(seed=2, inputs=CHANNELS)
    features = _run(u, r, d, open_norm(INPUTS))[-1].features
    np.testing.assert_allclose(features[Evidence.BURST], np.log((r[-4:] ** 2).mean(0) + 1e-8))
    np.testing.assert_allclose(features[Evidence.CHANGE], np.log((r[-32:] ** 2).mean(0) + 1e-8))
    np.testing.assert_allclose(features[Evidence.LEVEL], np.log(u[-16:].mean(0) ** 2 + 1e-8))
    np.testing.assert_allclose(
        features[Evidence.RELATION, :CHANNELS], np.log((d[-128:] ** 2).mean(0) + 1e-8)
    )
    steps = np.diff(u[-33:], axis=0)
    np.testing.assert_allclose(features[Evidence.STILLNESS], -np.log((steps**2).mean(0) + 1e-12))


def test_statistics_gather_their_features() -> None:
    features = np.zeros((len(Evidence), 2))
    features[Evidence.BURST] = [1.0, 3.0]
    features[Evidence.CHANGE] = [-5.0, 2.0]
    features[Evidence.RELATION] = [4.0, 1.0]
    seen = gather(features, open_norm(2))
    assert seen.values[Evidence.BURST] == 2.0
    assert seen.values[Evidence.CHANGE] == pytest.approx(np.log(2.0 + 1e-3))
    assert seen.values[Evidence.RELATION] == 4.0
    assert seen.shares[Evidence.BURST].tolist() == [0.1, 0.9]
    assert seen.shares[Evidence.CHANGE].tolist() == [0.0, 1.0]
    assert seen.shares[Evidence.LEVEL].tolist() == [0.0, 0.0]


def test_the_norm_puts_the_median_at_zero_and_one_hop_in_a_hundred_above_one() -> None:
    features = np.random.default_rng(0).normal(3.0, 2.0, size=(20_000, len(Evidence), 2))
    features[:, Evidence.RELATION] -= 9.0
    fitted = fit_norm(features, np.full(2, 32))
    z = (features - fitted.center) / fitted.spread
    assert np.median(z[:, Evidence.BURST]) == pytest.approx(0.0, abs=1e-9)
    assert np.mean(z[:, Evidence.LEVEL] > 1.0) == pytest.approx(0.01, abs=0.002)
    assert z[:, Evidence.STILLNESS].max() == 0.0  # only what is stiller than ever counts


@pytest.mark.parametrize(
    'evidence', [Evidence.BURST, Evidence.CHANGE, Evidence.LEVEL, Evidence.RELATION]
)
def test_each_statistic_rises_with_its_fault_and_names_the_input(
    evidence: Evidence, norm: EvidenceNorm
) -> None:
    streams = [_noise(), _noise(seed=1), 0.1 * _noise(seed=2, inputs=CHANNELS)]
    usual = _run(*streams, norm)[-1].values[evidence]
    stream = {Evidence.LEVEL: 0, Evidence.RELATION: 2}.get(evidence, 1)
    streams[stream][-40:, 2] += 8.0
    seen = _run(*streams, norm)[-1]
    assert seen.values[evidence] > usual + 0.4
    assert seen.shares[evidence].argmax() == 2


def test_a_frozen_channel_is_stiller_than_ever(norm: EvidenceNorm) -> None:
    u, r, d = _noise(), _noise(seed=1), _noise(seed=2, inputs=CHANNELS)
    usual = _run(u, r, d, norm)[-1]
    assert usual.values[Evidence.STILLNESS] <= 0.5
    u[-40:, 2] = u[-40, 2]
    seen = _run(u, r, d, norm)[-1]
    assert seen.values[Evidence.STILLNESS] > 15.0
    assert seen.shares[Evidence.STILLNESS].argmax() == 2


def test_stillness_of_white_noise_is_minus_the_log_of_twice_its_variance() -> None:
    np.testing.assert_allclose(stillness(_noise(100_000)), -np.log(2.0), atol=0.02)


def test_coarse_inputs_and_unexplained_ones_have_no_say() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(1000, len(Evidence), 2))
    features[:, Evidence.RELATION] += [-5.0, 0.0]  # the second input is hardly explained
    fitted = fit_norm(features, np.array([2, 32]))  # the first stands still at times
    strange = gather(np.full((len(Evidence), 2), 30.0), fitted)
    assert strange.shares[Evidence.STILLNESS].round(6).tolist() == [0.0, 1.0]
    assert strange.shares[Evidence.RELATION].round(6).tolist() == [1.0, 0.0]


def test_least_changes_counts_the_stillest_stretch() -> None:
    rows = _noise(200, inputs=2).astype(np.float32)
    rows[50:80, 1] = 1.0  # 29 steps without a change; a window of 32 steps has three around them
    assert least_changes([_noise(100, inputs=2).astype(np.float32), rows]).tolist() == [32, 3]


def test_clear_forgets_the_stream(norm: EvidenceNorm) -> None:
    streams = (_noise(), _noise(seed=1), _noise(seed=2, inputs=CHANNELS))
    windows = EvidenceWindows(norm)
    first = windows.step(*(stream[:PATCH] for stream in streams))
    windows.step(*(stream[PATCH : 2 * PATCH] for stream in streams))
    windows.clear()
    again = windows.step(*(stream[:PATCH] for stream in streams))
    np.testing.assert_array_equal(again.values, first.values)
