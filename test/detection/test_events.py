from __future__ import annotations

import numpy as np

from taolora_ros.config import DetectionConfig
from taolora_ros.detection.events import EventTracker, merge_gap_ns, severity
from taolora_ros.detection.scoring import Score
from taolora_ros.samples import Event, EventState, Severity

HOP_NS = 100_000_000
THRESHOLD = 3.0


def _track(
    scores: list[float], *, merge_s: float = 0.25, min_duration_s: float = 0.0, transient: int = 0
) -> list[Event | None]:
    config = DetectionConfig(merge_s=merge_s, min_duration_s=min_duration_s)
    tracker = EventTracker(config, period_ns=1.0)
    events = [
        tracker.step(
            hop * HOP_NS,
            hop * HOP_NS + 75_000_000,
            Score(value, 10.0**-value, np.ones(1)),
            THRESHOLD,
            np.array([float(hop), 0.0]),
            is_transient=hop < transient,
        )
        for hop, value in enumerate(scores)
    ]
    return [*events, tracker.finish()]


def _states(events: list[Event | None]) -> list[EventState | None]:
    return [event.state if event else None for event in events]


ONSET, ONGOING, END = EventState.ONSET, EventState.ONGOING, EventState.END


def test_an_alarm_is_an_onset_then_goes_on_and_ends_after_the_merge_time() -> None:
    events = _track([0, 4, 6, 5, 0, 0, 0, 0])
    assert _states(events) == [None, ONSET, ONGOING, ONGOING, ONGOING, ONGOING, END, None, None]
    end = events[6]
    assert end is not None
    assert (end.onset_ns, end.peak_ns, end.end_ns) == (1 * HOP_NS, 2 * HOP_NS, 375_000_000)
    assert end.peak_score == 6.0
    assert end.p_value == 10.0**-6
    assert end.contributions.tolist() == [2.0, 0.0]  # those of the peak


def test_alarms_closer_than_the_merge_time_are_one_event() -> None:
    events = _track([4, 0, 4, 0, 0, 0, 0])
    assert len({event.id for event in events if event}) == 1
    assert _states(events).count(END) == 1


def test_alarms_farther_apart_are_two_events_with_their_own_ids() -> None:
    events = _track([4, 0, 0, 0, 0, 4, 0, 0, 0, 0])
    assert [event.id for event in events if event and event.state is ONSET] == [1, 2]


def test_alarms_within_the_rows_that_evidence_looks_back_on_are_one_event() -> None:
    config = DetectionConfig(merge_s=0.5)
    assert merge_gap_ns(config, period_ns=1e6) == 500_000_000
    assert merge_gap_ns(config, period_ns=1e9) == 128_000_000_000


def test_an_alarm_shorter_than_the_least_duration_is_no_event() -> None:
    assert not any(_track([0, 4, 0, 0, 0, 0], min_duration_s=0.15))


def test_a_long_alarm_is_published_late_but_dated_from_its_first_hop() -> None:
    events = _track([4, 4, 4, 4], min_duration_s=0.15)
    assert _states(events)[:2] == [None, ONSET]
    onset = events[1]
    assert onset is not None
    assert onset.onset_ns == 0


def test_finish_closes_an_open_event() -> None:
    assert _states(_track([4, 4]))[-1] is END


def test_the_share_on_the_fp16_path_counts_the_hops_of_the_event() -> None:
    events = _track([4, 4, 4, 4], transient=3)
    last = events[3]
    assert last is not None
    assert last.fp16_share == 0.75


def test_severity_grows_with_the_decades_beyond_the_threshold() -> None:
    assert severity(3.9, 3.0) is Severity.MINOR
    assert severity(4.0, 3.0) is Severity.MAJOR
    assert severity(5.0, 3.0) is Severity.CRITICAL
