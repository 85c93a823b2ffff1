"""Eight hops of one row at 1 Hz, the first still warming; worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.events import Detection, Truth
from taolora_ros.evaluation.fidelity import Twins, compare, has_twin, twins_to_mapping
from taolora_ros.evaluation.report import ReportRun, twins_of
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S

TRUTHS = (
    Truth('early', 2 * NS_PER_S, 3 * NS_PER_S),
    Truth('late', 6 * NS_PER_S, 7 * NS_PER_S),
)


def hit_at(hop: int) -> Detection:
    return Detection(
        id=hop,
        onset_ns=hop * NS_PER_S,
        peak_ns=hop * NS_PER_S,
        end_ns=hop * NS_PER_S,
        raised_ns=(hop + 1) * NS_PER_S,
        severity=1,
        peak_score=4.0,
        p_value=1e-4,
        fp16_share=0.0,
        contributions=np.ones(1),
    )


def run_of(
    scores: list[float], *hits: int, truths: tuple[Truth, ...] | None = TRUTHS
) -> RunResult:
    stamps = np.arange(len(scores), dtype=np.int64) * NS_PER_S
    trace = Trace(
        first_ns=stamps,
        last_ns=stamps,
        is_watching=np.arange(len(scores)) > 0,
        scores=np.array(scores),
        thresholds=np.full(len(scores), 3.0),
        is_transient=np.zeros(len(scores), dtype=np.bool_),
        evidence=np.zeros((len(scores), 3)),
        contributions=np.ones((len(scores), 1)),
        detections=tuple(hit_at(hop) for hop in hits),
        period_ns=NS_PER_S,
        patch=1,
    )
    return judge('x', trace, truths, tolerance_s=0.0)


INT4 = run_of([0.0, 1, 4, 0, 0, 3, 1, 0], 2, 5)
FP32 = run_of([9.0, 1, 4, 0, 0, 2, 3, 0.5], 2, 6)
SHORT = run_of([0.0, 1, 2])


def test_scores_are_compared_hop_by_hop_after_the_warm_up() -> None:
    fidelity = compare([Twins(INT4, FP32)])
    assert fidelity.hops == 7
    assert fidelity.largest_difference == 2.0
    # Differences in order: 0, 0, 0, 0, 0.5, 1, 2; the 95 % quantile lies at position 5.7.
    assert fidelity.p95_difference == pytest.approx(1.7)
    one, other = np.array([1, 4, 0, 0, 3, 1, 0]), np.array([1, 4, 0, 0, 2, 3, 0.5])
    covariance = ((one - one.mean()) * (other - other.mean())).mean()
    assert fidelity.score_correlation == pytest.approx(covariance / one.std() / other.std())


def test_hops_in_alarm_are_told_apart() -> None:
    fidelity = compare([Twins(INT4, FP32)])
    assert fidelity.alarms_both == 1
    assert (fidelity.alarms_int4_alone, fidelity.alarms_fp32_alone) == (1, 1)
    assert fidelity.alarm_agreement == pytest.approx(5 / 7)


def test_events_found_at_one_precision_alone_are_told() -> None:
    fidelity = compare([Twins(INT4, FP32)])
    assert (fidelity.events, fidelity.events_both) == (2, 1)
    assert (fidelity.events_int4_alone, fidelity.events_fp32_alone) == (0, 1)


def test_recordings_are_pooled() -> None:
    fidelity = compare([Twins(INT4, FP32), Twins(FP32, INT4)])
    assert fidelity.hops == 14
    assert (fidelity.events, fidelity.events_both) == (4, 2)
    assert (fidelity.events_int4_alone, fidelity.events_fp32_alone) == (1, 1)


def test_same_precision_twice_agrees_in_all() -> None:
    fidelity = compare([Twins(INT4, INT4)])
    assert fidelity.score_correlation == pytest.approx(1.0)
    assert (fidelity.largest_difference, fidelity.alarm_agreement) == (0.0, 1.0)


def test_events_are_not_counted_without_labels() -> None:
    bare = run_of([0.0, 1, 4], 2, truths=None)
    fidelity = compare([Twins(bare, bare)])
    assert fidelity.events is None
    assert fidelity.events_both is None


def test_recording_over_before_the_warm_up_was_compares_nothing() -> None:
    fidelity = compare([Twins(run_of([0.0]), run_of([0.0]))])
    assert fidelity.hops == 0
    assert fidelity.score_correlation is None
    assert fidelity.largest_difference is None
    assert fidelity.alarm_agreement is None


def test_constant_scores_have_no_correlation() -> None:
    assert compare([Twins(run_of([0.0, 1, 1]), SHORT)]).score_correlation is None


def test_runs_of_other_recordings_are_refused() -> None:
    with pytest.raises(ValueError, match='same recording'):
        compare([Twins(INT4, SHORT)])


def test_plain_data_says_none_where_the_twin_did_not_run() -> None:
    assert set(twins_to_mapping([]).values()) == {None}
    data = twins_to_mapping(twins_of([ReportRun(INT4), ReportRun(INT4, twin=FP32)]))
    assert data['events_found_fp32'] == 2
    assert data['false_alarms_fp32'] == 0
    assert data['fidelity']['alarm_agreement'] == pytest.approx(5 / 7)


def test_artifact_without_the_dense_weights_has_no_twin(rotor_model: DetectorModel) -> None:
    assert has_twin(rotor_model)
    watch = rotor_model.watch
    relation = dataclasses.replace(
        watch.relation, linear=dataclasses.replace(watch.relation.linear, dense=None)
    )
    bare = dataclasses.replace(rotor_model, watch=dataclasses.replace(watch, relation=relation))
    assert not has_twin(bare)
