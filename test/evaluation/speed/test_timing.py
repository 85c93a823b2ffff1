from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.speed.timing import Pace, Times, alternate


def test_every_call_but_the_first_ones_of_a_turn_is_timed(clock) -> None:
    subject = clock.taking(9_000, 1_000, 2_000)  # the first of three settles
    times = alternate({'it': subject}, Pace(rounds=2, calls=2, settle=1), clock_ns=clock)
    assert times['it'].us.tolist() == [1.0, 2.0, 1.0, 2.0]


def test_turns_rotate_so_that_nobody_is_always_first() -> None:
    order: list[str] = []
    subjects = {name: (lambda name=name: order.append(name)) for name in 'abc'}
    alternate(subjects, Pace(rounds=3, calls=1, settle=0))
    assert ''.join(order) == 'abcbcacab'


def test_a_slow_subject_does_not_count_for_the_others(clock) -> None:
    subjects = {'slow': clock.taking(50_000), 'fast': clock.taking(500)}
    times = alternate(subjects, Pace(rounds=4, calls=3), clock_ns=clock)
    assert times['fast'].median_us == 0.5
    assert times['slow'].median_us == 50.0
    assert times['fast'].us.size == times['slow'].us.size == 12


def test_progress_ends_at_1() -> None:
    told: list[float] = []
    alternate({'it': lambda: None}, Pace(rounds=4, calls=1), progress=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_percentiles_are_those_of_the_calls() -> None:
    times = Times(np.arange(1.0, 102.0))
    assert times.median_us == 51.0
    assert times.p99_us == pytest.approx(100.0)
