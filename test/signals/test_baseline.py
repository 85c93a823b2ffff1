from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.signals.baseline import LogBaseline


def _steady(baseline: LogBaseline, level: float, hops: int, seed: int = 0) -> None:
    for value in np.random.default_rng(seed).normal(level, 0.3, hops):
        baseline.update(np.array([value]))


def test_it_settles_on_the_level_and_spread_of_steady_noise() -> None:
    baseline = LogBaseline(1, memory_hops=200)
    _steady(baseline, 2.0, 4000)
    assert baseline.center[0] == pytest.approx(2.0, abs=0.1)
    # The mean absolute departure of a normal law is sigma * sqrt(2 / pi).
    assert baseline.spread[0] == pytest.approx(0.3 * np.sqrt(2 / np.pi), rel=0.25)


def test_a_burst_moves_it_by_less_than_one_spread_however_strong() -> None:
    baseline = LogBaseline(1, memory_hops=200)
    _steady(baseline, 0.0, 2000)
    before, spread = baseline.center[0], baseline.spread[0]
    for _ in range(10):
        baseline.update(np.array([1e6]))
    assert baseline.center[0] - before < spread


def test_noise_that_lasts_becomes_the_baseline() -> None:
    baseline = LogBaseline(1, memory_hops=50)
    _steady(baseline, 0.0, 1000)
    _steady(baseline, 5.0, 2000, seed=1)
    assert baseline.center[0] == pytest.approx(5.0, abs=0.2)
