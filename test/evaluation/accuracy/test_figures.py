from __future__ import annotations

import pytest

from taolora_ros.evaluation.accuracy.figures import (
    memory,
    operating_point,
    retained,
    steady_rows,
    volumes,
)
from taolora_ros.evaluation.accuracy.study import Findings, SetFindings


@pytest.fixture
def arm(findings: Findings) -> SetFindings:
    return findings.sets['arm']


def test_retained_counts_over_the_same_recordings(arm: SetFindings) -> None:
    figures = retained([verdict.result for verdict in arm.routed], arm.reference)
    assert figures.events == 4
    assert figures.ratio is not None
    assert figures.ratio.mean == figures.found_routed / figures.found_fp32
    assert figures.false_alarms_fp32 <= figures.false_alarms_routed


def test_what_fp32_never_finds_says_nothing_of_4_bits(arm: SetFindings) -> None:
    quiet = [verdict.result for verdict in arm.routed if not verdict.result.truths]
    assert retained(quiet, quiet).ratio is None


def test_the_weak_strikes_are_below_the_limit(arm: SetFindings) -> None:
    point = operating_point(arm.routed, [verdict.result for verdict in arm.fp32])
    assert point.visible is not None
    assert point.visible.limits == {'collision': 1.0}
    assert (point.visible.events, point.visible.excluded) == (2, 2)
    assert point.visible.recall is not None
    assert point.visible.recall.mean == 1.0
    assert point.recall is not None
    assert point.recall.mean == 0.5
    assert point.impacts_median_delay_s == point.summary.median_delay_s


def test_steady_rows_are_those_of_recordings_without_events(arm: SetFindings) -> None:
    rows, routed = steady_rows(arm.routed)
    assert rows == 2500 - 500  # one of 25 s, less the warm-up
    assert 0 <= routed <= rows


def test_without_a_normal_recording_steady_rows_precede_the_events(arm: SetFindings) -> None:
    rows, _ = steady_rows([verdict for verdict in arm.routed if verdict.result.truths])
    assert rows == 2 * (1200 - 500)


def test_bytes_and_parameters_add_up(arm: SetFindings) -> None:
    one, two = memory(arm.models), memory(arm.models * 2)
    assert one.packed == arm.models[0].watch.packed_bytes
    assert (two.models, two.packed, two.numbers) == (2, 2 * one.packed, 2 * one.numbers)


def test_volumes_are_those_of_the_struck_recordings(arm: SetFindings) -> None:
    assert list(volumes(arm.routed)) == ['fault_0', 'fault_1']
