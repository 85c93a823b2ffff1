from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import Evidence
from taolora_ros.detection.features import EvidenceWindows

INPUTS = 5
CHANNELS = 4  # the fifth input is a peak
PATCH = 4


def _streams(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and residuals of all inputs, and departures of the channels."""
    return (
        np.random.default_rng(0).normal(size=(rows, INPUTS)),
        np.random.default_rng(1).normal(size=(rows, INPUTS)),
        np.random.default_rng(2).normal(size=(rows, CHANNELS)),
    )


def _tokens(*streams: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    parts = [stream.reshape(-1, PATCH, stream.shape[1]) for stream in streams]
    return list(zip(*parts, strict=True))


def test_features_equal_their_formulas() -> None:
    u, r, d = streams = _streams(256)
    windows = EvidenceWindows(INPUTS)
    features = [windows.step(*token) for token in _tokens(*streams)][-1]
    np.testing.assert_allclose(features[Evidence.BURST], np.log((r[-4:] ** 2).mean(0) + 1e-8))
    np.testing.assert_allclose(features[Evidence.CHANGE], np.log((r[-64:] ** 2).mean(0) + 1e-8))
    np.testing.assert_allclose(features[Evidence.VARIANCE], np.log(u[-32:].var(0) + 1e-8))
    np.testing.assert_allclose(features[Evidence.LEVEL], u[-16:].mean(0))
    np.testing.assert_allclose(features[Evidence.DRIFT], r[-64:].mean(0))
    np.testing.assert_allclose(
        features[Evidence.RELATION, :CHANNELS], np.log(d[-128:].var(0) + 1e-8)
    )
    steps = np.diff(u[-33:], axis=0)
    np.testing.assert_allclose(features[Evidence.STILLNESS], -np.log((steps**2).mean(0) + 1e-12))
    # The peak has no part in the relation: its departure is 0 throughout.
    assert features[Evidence.RELATION, CHANNELS] == np.log(1e-8)


def test_a_window_that_has_yet_to_fill_counts_the_rows_it_has() -> None:
    u, r, d = streams = _streams(12)
    windows = EvidenceWindows(INPUTS)
    features = [windows.step(*token) for token in _tokens(*streams)][-1]
    np.testing.assert_allclose(features[Evidence.CHANGE], np.log((r**2).mean(0) + 1e-8))
    np.testing.assert_allclose(features[Evidence.LEVEL], u.mean(0))
    np.testing.assert_allclose(features[Evidence.RELATION, :CHANNELS], np.log(d.var(0) + 1e-8))
    steps = np.diff(u, axis=0)
    np.testing.assert_allclose(features[Evidence.STILLNESS], -np.log((steps**2).mean(0) + 1e-12))


def test_a_burst_is_as_long_as_a_token_that_is_longer() -> None:
    u, r, d = _streams(16)
    windows = EvidenceWindows(INPUTS)
    windows.step(u[:8], r[:8], d[:8])
    features = windows.step(u[8:], r[8:], d[8:])
    np.testing.assert_allclose(features[Evidence.BURST], np.log((r[8:] ** 2).mean(0) + 1e-8))


def test_stillness_of_white_noise_is_minus_the_log_of_twice_its_variance() -> None:
    windows, found = EvidenceWindows(INPUTS), []
    for token in _tokens(*_streams(40_000)):
        found.append(windows.step(*token)[Evidence.STILLNESS])
    # Of powers, whose logarithm is not the mean logarithm.
    power = np.exp(-np.array(found[20:])).mean(axis=0)
    np.testing.assert_allclose(power, 2.0, rtol=0.03)


def test_a_single_row_says_nothing_about_stillness() -> None:
    features = EvidenceWindows(1).step(np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    assert features[Evidence.STILLNESS, 0] == 0.0


def test_what_is_not_a_number_leaves_with_the_window() -> None:
    streams = _streams(160)
    streams[0][3, 1] = np.nan
    windows = EvidenceWindows(INPUTS)
    seen = [windows.step(*token) for token in _tokens(*streams)]
    spoiled = np.isnan(seen[0])
    assert spoiled[[Evidence.VARIANCE, Evidence.LEVEL, Evidence.STILLNESS], 1].all()
    assert spoiled.sum() == 3
    assert np.isfinite(seen[-1]).all()


def test_clear_forgets_the_stream() -> None:
    tokens = _tokens(*_streams(2 * PATCH))
    windows = EvidenceWindows(INPUTS)
    first = windows.step(*tokens[0])
    windows.step(*tokens[1])
    windows.clear()
    np.testing.assert_array_equal(windows.step(*tokens[0]), first)


def test_rows_of_single_precision_are_refused() -> None:
    u, r, d = _streams(PATCH)
    with pytest.raises(TypeError, match='float32'):
        EvidenceWindows(INPUTS).step(u.astype(np.float32), r, d)
