"""Ten tokens of four rows at 10 Hz (0.4 s each), the first still warming; worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.events import Detection, Truth
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.summary import (
    by_kind,
    run_to_mapping,
    summarize,
    summary_to_mapping,
)
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S

PERIOD_NS = NS_PER_S // 10
TOKENS = 10


def at(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def detected(onset_s: float, end_s: float, identity: int = 1) -> Detection:
    return Detection(
        id=identity,
        onset_ns=at(onset_s),
        peak_ns=at(onset_s),
        end_ns=at(end_s),
        raised_ns=at(onset_s + 0.4),
        severity=1,
        peak_score=5.0,
        p_value=1e-5,
        fp16_share=1.0,
        contributions=np.array([0.25, 0.75]),
    )


def trace_of(scores: list[float], *detections: Detection) -> Trace:
    first_ns = np.arange(TOKENS, dtype=np.int64) * 4 * PERIOD_NS
    return Trace(
        first_ns=first_ns,
        last_ns=first_ns + 3 * PERIOD_NS,
        is_watching=np.arange(TOKENS) > 0,
        scores=np.array(scores),
        thresholds=np.full(TOKENS, 2.0),
        is_transient=np.array(scores) > 2,
        evidence=np.zeros((TOKENS, 3)),
        contributions=np.full((TOKENS, 2), 0.5),
        detections=detections,
        period_ns=PERIOD_NS,
        patch=4,
    )


SCORES = [9.0, 0, 0, 3, 3, 0, 0, 0, 4, 0]  # the first is warming and must not count
TRUTH = Truth('collision', at(1.2), at(2.0))  # tokens 3 and 4


@pytest.fixture
def run() -> RunResult:
    trace = trace_of(SCORES, detected(1.2, 1.9), detected(3.2, 3.5, identity=2))
    return judge('bag', trace, [TRUTH], tolerance_s=0.4)


def test_average_precision_ranks_the_watched_rows(run: RunResult) -> None:
    # Token 8 (normal) ranks first, then tokens 3 and 4 (anomalous) share a step: P = 8 / 12.
    assert run.average_precision == pytest.approx(8 / 12)


def test_event_is_found_with_the_delay_of_its_report(run: RunResult) -> None:
    assert (run.events, run.events_found) == (1, 1)
    assert run.median_delay_s == pytest.approx(0.4)


def test_false_alarms_are_counted_over_normal_watched_time(run: RunResult) -> None:
    # 9 watched tokens, 2 anomalous, 1 within the tolerance: 6 · 0.4 s normal.
    assert run.normal_hours == pytest.approx(6 * 0.4 / 3600)
    assert run.false_alarms == 1
    assert run.false_alarms_per_hour == pytest.approx(3600 / 2.4)


def test_normal_time_in_alarm_is_a_share_of_normal_rows(run: RunResult) -> None:
    assert run.normal_in_alarm == pytest.approx(1 / 6)


def test_share_on_the_fp16_path_leaves_the_warm_up_out(run: RunResult) -> None:
    assert run.fp16_share == pytest.approx(3 / 9)
    assert run.normal_fp16_share == pytest.approx(1 / 6)
    assert run.event_fp16_share == 1.0


def test_permanent_alarm_finds_everything_and_is_seen_to_stand_always() -> None:
    trace = trace_of(SCORES, detected(0.0, 3.9))
    run = judge('bag', trace, [TRUTH], tolerance_s=0.4)
    assert run.events_found == 1
    assert run.false_alarms == 0
    assert run.median_delay_s is None
    assert run.normal_in_alarm == pytest.approx(1.0)


def test_event_over_before_the_warm_up_ends_counts_and_is_named() -> None:
    run = judge('bag', trace_of(SCORES), [Truth('spike', at(0.1), at(0.2))], tolerance_s=0.4)
    assert (run.events, run.events_found, run.events_unwatched) == (1, 0, 1)


def test_run_without_labels_tells_only_what_needs_none() -> None:
    run = judge('bag', trace_of(SCORES, detected(1.2, 1.9)), None, tolerance_s=0.4)
    assert run.events is None
    assert run.events_found is None
    assert run.false_alarms_per_hour is None
    assert run.average_precision is None
    assert run.fp16_share == pytest.approx(3 / 9)


def test_run_labeled_normal_throughout_has_false_alarms_and_no_average_precision() -> None:
    run = judge('bag', trace_of(SCORES, detected(1.2, 1.9)), [], tolerance_s=0.4)
    assert run.average_precision is None
    assert run.false_alarms == 1
    assert run.normal_hours == pytest.approx(9 * 0.4 / 3600)


def test_summary_averages_over_runs_and_pools_counts(run: RunResult) -> None:
    clean = judge('clean', trace_of([0.0] * TOKENS), [], tolerance_s=0.4)
    summary = summarize([run, clean])
    assert summary.mean_average_precision == pytest.approx(8 / 12)
    assert summary.normal_hours == pytest.approx(15 * 0.4 / 3600)
    assert summary.false_alarms_per_hour == pytest.approx(3600 / 6.0)
    assert summary.normal_in_alarm == pytest.approx(1 / 15)
    assert summary.fp16_share == pytest.approx(3 / 18)
    assert summary_to_mapping(summary)['events_found'] == 1


def test_kinds_are_told_apart() -> None:
    truths = [TRUTH, Truth('spike', at(2.5), at(2.6)), Truth('spike', at(3.2), at(3.6))]
    trace = trace_of(SCORES, detected(1.2, 1.9), detected(3.2, 3.5, identity=2))
    run = judge('bag', trace, truths, tolerance_s=0.0)
    assert run.matching is not None
    collision, spike = by_kind(run.matching.matches)
    assert (collision.kind, collision.events, collision.found) == ('collision', 1, 1)
    assert (spike.kind, spike.events, spike.found) == ('spike', 2, 1)


def test_run_as_plain_data_names_channels_by_contribution(run: RunResult) -> None:
    data = run_to_mapping(run, ['/a:x', '/b:y'])
    assert list(data['detections'][0]['contributions']) == ['/b:y', '/a:x']
    assert data['truths'][0]['found_by'] == 1
    assert data['events_standing'] == 0
