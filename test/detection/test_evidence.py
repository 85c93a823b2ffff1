from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.detection.evidence import (
    Evidence,
    Evidences,
    EvidenceWindows,
    RoughnessNorm,
    log_roughness,
)

INPUTS = 5
PATCH = 4
NORM = RoughnessNorm(np.full(INPUTS, np.log(2.0)), np.full(INPUTS, 0.25))  # of white noise


def _run(rows: np.ndarray, residual: np.ndarray) -> Evidences:
    windows = EvidenceWindows(NORM)
    seen = None
    for start in range(0, len(rows), PATCH):
        seen = windows.step(rows[start : start + PATCH], residual[start : start + PATCH])
    assert seen is not None
    return seen


def _noise(rows: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, INPUTS))


def test_statistics_equal_their_formulas() -> None:
    u, r = _noise(), _noise(seed=1)
    seen = _run(u, r)
    token = (r[-PATCH:] ** 2).mean(0)
    logs = np.log((r**2).mean(1) + 1e-6)
    rough = np.log((np.diff(u[-33:], axis=0) ** 2).mean(0) + 1e-5)
    expected = [
        np.log(token.max() + 1e-6),
        np.log(token.mean() + 1e-6),
        logs[-32:].mean(),
        logs[-128:].mean(),
        np.log((u[-16:].mean(0) ** 2).mean() + 1e-6),
        rough.mean(),
        ((np.log(2.0) - rough) / 0.25).max(),
    ]
    np.testing.assert_allclose(seen.values, expected)


@pytest.mark.parametrize('evidence', list(Evidence))
def test_shares_sum_to_one(evidence: Evidence) -> None:
    shares = _run(_noise(), _noise(seed=1)).shares[evidence]
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()


@pytest.mark.parametrize(
    ('evidence', 'fault'),
    [
        (Evidence.IMPACT, 'hit'),
        (Evidence.RESIDUAL, 'residual'),
        (Evidence.LEVEL, 'level'),
        (Evidence.ROUGHNESS, 'shake'),
        (Evidence.STILLNESS, 'freeze'),
    ],
)
def test_each_statistic_rises_with_its_fault_and_names_the_input(
    evidence: Evidence, fault: str
) -> None:
    u, r = _noise(), _noise(seed=1)
    usual = _run(u, r).values[evidence]
    if fault == 'hit':
        r[-1, 2] += 15.0
    elif fault == 'residual':
        r[-40:, 2] *= 8.0
    elif fault == 'level':
        u[-20:, 2] += 6.0
    elif fault == 'shake':
        u[-40:, 2] *= 8.0
    else:
        u[-40:, 2] = u[-40, 2]
    seen = _run(u, r)
    assert seen.values[evidence] > usual + 0.3
    assert seen.shares[evidence].argmax() == 2


def test_roughness_of_white_noise_is_the_log_of_twice_its_variance() -> None:
    np.testing.assert_allclose(log_roughness(_noise(100_000)), np.log(2.0), atol=0.02)


def test_one_row_has_the_roughness_of_stillness() -> None:
    assert log_roughness(np.zeros((1, 2))).tolist() == log_roughness(np.zeros((9, 2))).tolist()
