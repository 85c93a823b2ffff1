from __future__ import annotations

import pytest

from taolora_ros.evaluation.speed.streams import StreamCosts, StreamsFindings, measure_streams
from taolora_ros.evaluation.speed.timing import Pace, alternate


def costs(clock, costs_us: dict[int, float]) -> StreamCosts:
    named = {str(streams): clock.taking(round(1000 * cost)) for streams, cost in costs_us.items()}
    times = alternate(named, Pace(rounds=2, calls=3), clock_ns=clock)
    return StreamCosts({int(streams): found for streams, found in times.items()})


def test_the_cost_is_a_stream_s_share_of_the_hop(clock) -> None:
    found = StreamsFindings(costs(clock, {4: 100.0, 1: 40.0}))
    figures = found.to_mapping()
    assert [row['streams'] for row in figures['by_streams']] == [1, 4]
    assert [row['us_per_stream'] for row in figures['by_streams']] == [40.0, 25.0]
    assert figures['last_over_first'] == pytest.approx(25.0 / 40.0)
    assert figures['largest_rise'] == pytest.approx(25.0 / 40.0)
    assert figures['falls_throughout'] is True
    assert [target.is_met for target in found.targets()] == [True, True]
    assert 'gpu_by_streams' not in figures


def test_a_cost_that_rises_is_told(clock) -> None:
    found = StreamsFindings(costs(clock, {1: 40.0, 2: 50.0, 4: 200.0}))
    assert found.to_mapping()['falls_throughout'] is False
    assert [target.is_met for target in found.targets()] == [False, False]


def test_small_rises_add_up(clock) -> None:
    # A stream costs 40, 25, 25.5 and 26 µs: no step rises by 3 %, both together do.
    found = StreamsFindings(costs(clock, {1: 40.0, 2: 50.0, 4: 102.0, 8: 208.0}))
    figures = found.to_mapping()
    assert figures['last_over_first'] == pytest.approx(26.0 / 40.0)
    assert figures['largest_rise'] == pytest.approx(26.0 / 25.0)
    assert figures['falls_throughout'] is False
    assert [target.is_met for target in found.targets()] == [True, False]


def test_a_rise_within_the_noise_is_none(clock) -> None:
    found = StreamsFindings(costs(clock, {1: 40.0, 2: 50.0, 4: 102.0}))
    assert found.to_mapping()['falls_throughout'] is True


def test_a_gpu_has_a_table_of_its_own(clock) -> None:
    found = StreamsFindings(costs(clock, {1: 40.0, 2: 60.0}), costs(clock, {1: 9.0, 1024: 9216.0}))
    figures = found.to_mapping()
    assert [row['streams'] for row in figures['gpu_by_streams']] == [1, 1024]
    assert figures['gpu_last_over_first'] == pytest.approx(1.0)
    assert [target.figure for target in found.targets()] == [
        'last_over_first',
        'largest_rise',
        'gpu_last_over_first',
        'gpu_largest_rise',
    ]


def test_all_numbers_of_streams_take_turns() -> None:
    seen: list[int] = []
    steps = {streams: (lambda streams=streams: seen.append(streams)) for streams in (1, 8)}
    found = measure_streams(steps, Pace(rounds=2, calls=1, settle=0))
    assert seen == [1, 8, 8, 1]
    assert set(found.times) == {1, 8}
