"""Eleven tokens of one row at 1 Hz, the first still warming; worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.curves import delay_curve, precision_recall
from taolora_ros.evaluation.events import Detection, Match, Truth
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S


def at(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def run_of(scores: list[float], *truths: tuple[float, float]) -> RunResult:
    stamps = np.arange(len(scores), dtype=np.int64) * NS_PER_S
    trace = Trace(
        first_ns=stamps,
        last_ns=stamps,
        is_watching=np.arange(len(scores)) > 0,
        scores=np.array(scores),
        thresholds=np.full(len(scores), 3.5),
        is_transient=np.zeros(len(scores), dtype=np.bool_),
        evidence=np.zeros((len(scores), 3)),
        contributions=np.ones((len(scores), 1)),
        detections=(),
        period_ns=NS_PER_S,
        patch=1,
    )
    return judge('x', trace, [Truth('x', at(a), at(b)) for a, b in truths], tolerance_s=0.0)


# Watched rows from the top: 6 and 5 anomalous, 4 normal, 3 anomalous, 2 and 1 and zeros normal.
RUN = run_of([9.0, 0, 6, 5, 3, 0, 4, 2, 1, 0, 0], (2, 5))


def test_rows_are_ranked_from_the_highest_score_down() -> None:
    curve = precision_recall([RUN])
    assert curve is not None
    assert curve.recall.tolist() == sorted(curve.recall.tolist())
    assert max(curve.precision[np.isclose(curve.recall, 2 / 3)]) == 1.0
    assert max(curve.precision[np.isclose(curve.recall, 1.0)]) == 3 / 4
    assert set(curve.recall.round(3).tolist()) == {0.0, 0.333, 0.667, 1.0}
    assert curve.area == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert curve.chance == pytest.approx(3 / 10)


def test_threshold_is_a_point_of_the_curve() -> None:
    curve = precision_recall([RUN])
    assert curve is not None
    # 6, 5 and 4 reach 3.5, and the 9 of the warm-up doesn't count.
    assert curve.threshold_recall == pytest.approx(2 / 3)
    assert curve.threshold_precision == pytest.approx(2 / 3)


def test_runs_are_pooled_into_one_ranking() -> None:
    normal = run_of([0.0, 5.5, 0])
    pooled = precision_recall([RUN, normal])
    assert pooled is not None
    assert pooled.chance == pytest.approx(3 / 12)
    assert pooled.area == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_rows_none_of_which_is_anomalous_have_no_curve() -> None:
    assert precision_recall([run_of([0.0, 1, 2])]) is None
    assert precision_recall([]) is None


def test_threshold_that_no_row_reaches_has_no_precision() -> None:
    curve = precision_recall([run_of([0.0, 1, 2], (1, 2))])
    assert curve is not None
    assert (curve.threshold_recall, curve.threshold_precision) == (0.0, None)


def match(onset_s: float, raised_s: float | None) -> Match:
    truth = Truth('x', at(onset_s), at(onset_s + 1))
    if raised_s is None:
        return Match(truth, None)
    onset_ns = min(truth.onset_ns, at(raised_s))
    hit = Detection(
        id=1,
        onset_ns=onset_ns,
        peak_ns=onset_ns,
        end_ns=truth.end_ns,
        raised_ns=at(raised_s),
        severity=1,
        peak_score=4.0,
        p_value=1e-4,
        fp16_share=0.0,
        contributions=np.ones(1),
    )
    return Match(truth, hit)


def test_missed_and_standing_events_never_count_as_found_in_time() -> None:
    curve = delay_curve([match(10, 10.5), match(20, 20.1), match(30, None), match(40, 39.0)])
    assert curve is not None
    assert curve.delays_s.tolist() == pytest.approx([0.1, 0.5])
    assert (curve.events, curve.standing, curve.missed) == (4, 1, 1)
    assert curve.share_within(0.05) == 0.0
    assert curve.share_within(0.1) == pytest.approx(1 / 4)
    assert curve.share_within(1e9) == pytest.approx(2 / 4)


def test_no_event_has_no_delays() -> None:
    assert delay_curve([]) is None
