from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.speed.jitter import JitterFindings, JitterRuns, measure_jitter
from taolora_ros.evaluation.speed.timing import Times
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Float32s


class SlowOnTransients:
    """Takes 20 µs on steady tokens and 22 µs on transient ones."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.hops = 0

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        self.hops += 1
        self.clock.now_ns += 22_000 if is_transient else 20_000
        return patch


def test_hops_are_told_apart_by_their_route(clock, workload: Workload) -> None:
    engine = SlowOnTransients(clock)
    findings = measure_jitter(workload, engine, 150, clock_ns=clock)
    figures = findings.to_mapping()
    assert figures['hops'] == figures['steady_hops'] + figures['transient_hops'] == 150
    expected = np.tile(workload.is_transient, 3)[:150].sum()
    assert figures['transient_hops'] == expected
    assert figures['steady_p50_us'] == 20.0
    assert figures['transient_p99_us'] == figures['max_us'] == 22.0
    assert figures['transient_p99_minus_steady_p50_us'] == 2.0
    assert figures['transient_over_steady'] == pytest.approx(1.1)
    assert all(target.is_met for target in findings.targets())
    assert engine.hops == 350  # with those that settle


def test_a_few_slow_transient_hops_miss_the_target() -> None:
    late = np.r_[np.full(95, 20.0), np.full(5, 200.0)]
    findings = JitterFindings(Times(np.full(100, 20.0)), Times(late))
    assert [target.is_met for target in findings.targets()] == [False, True]


def test_of_several_runs_the_median_one_speaks() -> None:
    steady = Times(np.full(10, 20.0))
    runs = [JitterFindings(steady, Times(np.full(10, us))) for us in (26.0, 21.0, 22.0)]
    found = JitterRuns(runs)
    figures = found.to_mapping()
    assert figures['transient_over_steady'] == pytest.approx(1.1)
    assert [row['run'] for row in figures['by_run']] == [1, 2, 3]
    assert [row['transient_p50_us'] for row in figures['by_run']] == [26.0, 21.0, 22.0]
    assert [target.measured for target in found.targets()] == [2.0, pytest.approx(1.1)]
