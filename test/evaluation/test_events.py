"""Times in whole seconds to be read at a glance; expectations worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.events import Detection, Truth, cover, match_events
from taolora_ros.samples import NS_PER_S


def truth(onset_s: float, end_s: float, kind: str = 'collision') -> Truth:
    return Truth(kind, round(onset_s * NS_PER_S), round(end_s * NS_PER_S))


def detection(onset_s: float, end_s: float, *, raised_s: float | None = None) -> Detection:
    onset_ns, end_ns = round(onset_s * NS_PER_S), round(end_s * NS_PER_S)
    raised_ns = onset_ns if raised_s is None else round(raised_s * NS_PER_S)
    return Detection(
        id=1,
        onset_ns=onset_ns,
        peak_ns=onset_ns,
        end_ns=end_ns,
        raised_ns=raised_ns,
        severity=1,
        peak_score=4.0,
        p_value=1e-4,
        fp16_share=1.0,
        contributions=np.array([1.0]),
    )


def test_detection_within_a_true_event_finds_it_with_its_delay() -> None:
    (match,) = match_events([truth(10, 20)], [detection(12, 13)], tolerance_s=1).matches
    assert match.is_found
    assert match.delay_s == pytest.approx(2.0)


def test_delay_runs_to_the_report_and_not_to_the_backdated_onset() -> None:
    late = detection(10, 13, raised_s=11.5)
    (match,) = match_events([truth(10, 20)], [late], tolerance_s=1).matches
    assert match.delay_s == pytest.approx(1.5)


@pytest.mark.parametrize(
    ('onset_s', 'found'), [(20.5, True), (21.0, True), (21.5, False), (9.0, False)]
)
def test_tolerance_reaches_past_the_end_and_not_before_the_onset(
    onset_s: float, found: bool
) -> None:
    short = detection(onset_s, onset_s + 0.2)
    matching = match_events([truth(10, 20)], [short], tolerance_s=1)
    assert matching.found == int(found)
    assert len(matching.false_alarms) == int(not found)


def test_one_alarm_may_find_several_events_and_is_no_false_alarm() -> None:
    matching = match_events([truth(10, 11), truth(15, 16)], [detection(10.5, 15.5)], tolerance_s=0)
    assert matching.found == 2
    assert matching.false_alarms == ()


def test_alarm_raised_before_the_event_finds_it_without_a_delay() -> None:
    matching = match_events([truth(10, 20)], [detection(5, 12)], tolerance_s=1)
    (match,) = matching.matches
    assert match.is_found
    assert match.is_standing
    assert match.delay_s is None


def test_fresh_alarm_takes_precedence_over_one_that_stood() -> None:
    standing, fresh = detection(5, 10.5), detection(13, 14)
    matching = match_events([truth(10, 20)], [standing, fresh], tolerance_s=1)
    assert matching.matches[0].detection is fresh
    assert matching.matches[0].delay_s == pytest.approx(3.0)
    assert matching.false_alarms == ()


def test_missed_event_and_false_alarm_are_told_apart() -> None:
    matching = match_events([truth(10, 20)], [detection(30, 31)], tolerance_s=1)
    (match,) = matching.matches
    assert not match.is_found
    assert match.delay_s is None
    assert len(matching.false_alarms) == 1


def test_matches_come_in_order_of_onset() -> None:
    matching = match_events([truth(30, 31, 'b'), truth(10, 11, 'a')], [], tolerance_s=1)
    assert [match.truth.kind for match in matching.matches] == ['a', 'b']


def test_cell_is_covered_if_any_part_of_it_lies_in_a_span() -> None:
    stamps = np.arange(0, 100, 10, dtype=np.int64)
    covered = cover(stamps, [(25, 41)], period_ns=10)
    assert np.flatnonzero(covered).tolist() == [2, 3, 4]


def test_span_that_ends_where_a_cell_starts_leaves_it_uncovered() -> None:
    stamps = np.arange(0, 100, 10, dtype=np.int64)
    assert np.flatnonzero(cover(stamps, [(20, 40)], period_ns=10)).tolist() == [2, 3]


def test_empty_span_covers_the_cell_of_its_instant() -> None:
    stamps = np.arange(0, 100, 10, dtype=np.int64)
    assert np.flatnonzero(cover(stamps, [(55, 55)], period_ns=10)).tolist() == [5]
