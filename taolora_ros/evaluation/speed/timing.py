"""Times of several subjects in one run, alternating, so that a noisy machine is as noisy for each.

A round gives every subject some calls in a row, in an order that turns from round to round. Its
first calls are not timed: another subject has just had the caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Floats

US_PER_S = 1e6
_NS_PER_US = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """How long one subject took, call by call."""

    us: Floats  # [n]

    @property
    def median_us(self) -> float:
        """Half of the calls took no longer."""
        return float(np.median(self.us))

    @property
    def p99_us(self) -> float:
        """99 % of the calls took no longer."""
        return float(np.quantile(self.us, 0.99))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often subjects are called."""

    rounds: int
    calls: int  # timed ones of a subject in a round
    settle: int = 2  # calls before them


def alternate(
    subjects: Mapping[str, Callable[[], object]],
    pace: Pace,
    *,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Times]:
    """Time every call of every subject.

    Args:
        subjects: what is called, by name.
        pace: how often.
        clock_ns: monotonic.
        progress: told the share that is done, 0 to 1.
    """
    names = list(subjects)
    durations = {name: np.empty((pace.rounds, pace.calls)) for name in names}
    for number in range(pace.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            subject = subjects[name]
            for _ in range(pace.settle):
                subject()
            took = durations[name][number]
            for call in range(pace.calls):
                start_ns = clock_ns()
                subject()
                took[call] = clock_ns() - start_ns
        progress((number + 1) / pace.rounds)
    return {name: Times(took.ravel() / _NS_PER_US) for name, took in durations.items()}
