"""How evenly hops take their time, steady and transient ones mixed in bursts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from taolora_ros.evaluation.speed.hops import Hops
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.evaluation.speed.timing import Times
from taolora_ros.evaluation.speed.workload import Workload

_SETTLE = 200  # hops before the first that counts
_REPORTS = 100  # of progress


@dataclass(frozen=True, eq=False)
class JitterFindings:
    """Times of the hops by the path that they took."""

    steady: Times
    transient: Times

    @property
    def spread_us(self) -> float:
        """99th percentile of transient hops over the median of steady ones."""
        return self.transient.p99_us - self.steady.median_us

    @property
    def transient_over_steady(self) -> float:
        """Ratio of the medians."""
        return self.transient.median_us / self.steady.median_us

    def to_mapping(self) -> dict[str, Any]:
        """Percentiles of both kinds."""
        every = np.concatenate([self.steady.us, self.transient.us])
        return {
            'hops': every.size,
            'steady_hops': self.steady.us.size,
            'transient_hops': self.transient.us.size,
            'steady_p50_us': self.steady.median_us,
            'steady_p99_us': self.steady.p99_us,
            'transient_p50_us': self.transient.median_us,
            'transient_p99_us': self.transient.p99_us,
            'transient_p99_minus_steady_p50_us': self.spread_us,
            'transient_over_steady': self.transient_over_steady,
            'p99_9_us': float(np.quantile(every, 0.999)),
            'max_us': float(every.max()),
        }

    def targets(self) -> tuple[Target, ...]:
        """Jitter in µs, and what the second path costs."""
        return (
            Target(
                'transient_p99_minus_steady_p50_us',
                'p99 of transient hops − p50 of steady hops, in µs',
                self.spread_us,
                at_most=100.0,
            ),
            Target(
                'transient_over_steady',
                'median of transient hops / of steady hops',
                self.transient_over_steady,
                at_most=1.15,
            ),
        )


@dataclass(frozen=True, eq=False)
class JitterRuns:
    """The same measured several times; the run with the median ratio speaks for all."""

    runs: Sequence[JitterFindings]

    @property
    def median(self) -> JitterFindings:
        """The run whose ratio of the medians is neither the best nor the worst."""
        ordered = sorted(self.runs, key=lambda run: run.transient_over_steady)
        return ordered[len(ordered) // 2]

    def to_mapping(self) -> dict[str, Any]:
        """Percentiles of the median run, and what the runs differ in."""
        rows = [
            {
                'run': number + 1,
                'steady_p50_us': run.steady.median_us,
                'transient_p50_us': run.transient.median_us,
                'transient_p99_minus_steady_p50_us': run.spread_us,
                'transient_over_steady': run.transient_over_steady,
            }
            for number, run in enumerate(self.runs)
        ]
        return {**self.median.to_mapping(), 'by_run': rows}

    def targets(self) -> tuple[Target, ...]:
        """Those of the median run."""
        return self.median.targets()


def measure_jitter(
    workload: Workload,
    hops: Hops,
    count: int,
    *,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    progress: Callable[[float], None] = lambda share: None,
) -> JitterFindings:
    """Time every hop of a long run; the workload's signal is repeated as often as needed.

    Args:
        workload: signal and mask, with both steady and transient tokens.
        hops: the engine.
        count: of hops.
        clock_ns: monotonic.
        progress: told the share that is done, 0 to 1.
    """
    patches, masks = workload.patches, workload.is_transient.tolist()
    tokens = len(masks)
    for index in range(_SETTLE):
        hops.step(patches[index % tokens], masks[index % tokens])
    took_ns = np.empty(count)
    report = max(1, count // _REPORTS)
    for index in range(count):
        patch, is_transient = patches[index % tokens], masks[index % tokens]
        start_ns = clock_ns()
        hops.step(patch, is_transient)
        took_ns[index] = clock_ns() - start_ns
        if index % report == 0:
            progress(index / count)
    progress(1.0)
    is_transient_hop = workload.is_transient[np.arange(count) % tokens]
    took_us = took_ns / 1e3
    return JitterFindings(
        steady=Times(took_us[~is_transient_hop]), transient=Times(took_us[is_transient_hop])
    )
