from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.events import Detection, Truth
from taolora_ros.evaluation.operating import OperatingCurve, operating_curve, operating_to_mapping
from taolora_ros.evaluation.retracking import track
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.trace import Trace

PATCH = 32
PERIOD_NS = 12_500_000
HOP_NS = PATCH * PERIOD_NS  # 0.4 s
SETTINGS = DetectionConfig(merge_s=0.5)  # less than the 128 rows, 1.6 s, that evidence looks back


def at(seconds: float) -> int:
    return round(seconds * 1e9)


def trace_of(scores: list[float]) -> Trace:
    first_ns = np.arange(len(scores), dtype=np.int64) * HOP_NS
    return Trace(
        first_ns=first_ns,
        last_ns=first_ns + (PATCH - 1) * PERIOD_NS,
        is_watching=np.arange(len(scores)) > 0,
        scores=np.array(scores),
        thresholds=np.full(len(scores), 2.0),
        is_transient=np.zeros(len(scores), dtype=np.bool_),
        evidence=np.zeros((len(scores), 3)),
        contributions=np.ones((len(scores), 1)),
        detections=(),
        period_ns=PERIOD_NS,
        patch=PATCH,
    )


def with_detections(trace: Trace, threshold: float) -> Trace:
    """The trace as if the detector had carried another threshold."""
    alarms = track(trace, threshold, SETTINGS)
    detections = tuple(
        Detection(
            id=number,
            onset_ns=int(trace.first_ns[first]),
            peak_ns=int(trace.first_ns[first]),
            end_ns=int(trace.last_ns[last]),
            raised_ns=int(trace.last_ns[raised]) + PERIOD_NS,
            severity=1,
            peak_score=threshold,
            p_value=0.1,
            fp16_share=0.0,
            contributions=np.ones(1),
        )
        for number, (first, raised, last) in enumerate(
            zip(alarms.first, alarms.raised, alarms.last, strict=True)
        )
    )
    return dataclasses.replace(trace, detections=detections)


@pytest.fixture(scope='module')
def runs() -> list[RunResult]:
    """Five recordings of 80 s with random scores and random true events, some overlapping."""
    generator = np.random.default_rng(3)
    made = []
    for number in range(5):
        scores = generator.exponential(1.0, 200).repeat(2)[:200]
        onsets = generator.uniform(0, 80, number)  # none in the first
        truths = [Truth('x', at(start), at(start + generator.uniform(0, 6))) for start in onsets]
        made.append(judge(f'run_{number}', trace_of(list(scores)), truths, tolerance_s=1.0))
    return made


@pytest.fixture(scope='module')
def curve(runs: list[RunResult]) -> OperatingCurve:
    found = operating_curve(runs, SETTINGS, levels=25)
    assert found is not None
    return found


def test_each_threshold_counts_as_if_the_detector_had_carried_it(
    runs: list[RunResult], curve: OperatingCurve
) -> None:
    for level, threshold in enumerate(curve.thresholds.tolist()):
        judged = [
            judge('', with_detections(run.trace, threshold), run.truths, tolerance_s=1.0)
            for run in runs
        ]
        matches = [m for run in judged if run.matching for m in run.matching.matches]
        assert curve.found[level] == sum(m.is_found for m in matches)
        assert curve.fresh[level] == sum(m.delay_s is not None for m in matches)
        assert curve.false_alarms[level] == sum(run.false_alarms or 0 for run in judged)
        hours = [run.normal_hours or 0.0 for run in judged]
        shares = [run.normal_in_alarm or 0.0 for run in judged]
        assert curve.normal_in_alarm[level] == pytest.approx(np.average(shares, weights=hours))


def test_rate_is_over_the_normal_time_of_all_runs(
    runs: list[RunResult], curve: OperatingCurve
) -> None:
    hours = sum(run.normal_hours or 0.0 for run in runs)
    assert curve.normal_hours == pytest.approx(hours)
    assert curve.false_alarms_per_hour.tolist() == (curve.false_alarms / hours).tolist()


def test_highest_threshold_finds_nothing(curve: OperatingCurve) -> None:
    assert (curve.found[-1], curve.false_alarms[-1]) == (0, 0)


def test_alarm_that_never_ends_is_found_standing_and_left_out_of_the_useful_part() -> None:
    # At 0.5 one alarm spans everything; at 2 and above the event and the false alarm are apart.
    scores = [0.0, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 4, 1, 1]
    run = judge('x', trace_of(scores), [Truth('x', at(4.4), at(4.8))], tolerance_s=0.0)
    curve = operating_curve([run], SETTINGS, levels=8)  # 0.5, 1.01, 1.53, … 4.08
    assert curve is not None
    assert curve.found.tolist() == [1] * 7 + [0]
    assert curve.fresh.tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert curve.false_alarms.tolist() == [0, 1, 1, 1, 1, 0, 0, 0]
    assert curve.normal_in_alarm[0] == 1.0
    assert curve.thresholds[curve.useful].tolist() == curve.thresholds[1:].tolist()


def test_runs_without_events_or_labels_have_no_curve() -> None:
    trace = trace_of([0.0, 3.0, 0.0])
    assert operating_curve([judge('x', trace, None, tolerance_s=1.0)], SETTINGS) is None
    assert operating_curve([judge('x', trace, [], tolerance_s=1.0)], SETTINGS) is None
    assert operating_to_mapping(None) == []


def test_plain_data_has_one_entry_a_threshold(curve: OperatingCurve) -> None:
    entries = operating_to_mapping(curve)
    assert len(entries) == 25
    assert entries[3]['threshold'] == curve.thresholds[3]
    assert entries[3]['events_found_fresh'] == curve.fresh[3]
