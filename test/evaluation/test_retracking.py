from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from taolora_ros.config import DetectionConfig
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.evaluation.retracking import track
from taolora_ros.evaluation.trace import Trace, record
from taolora_ros.samples import NS_PER_S, Gap, Hop, Recording, Row

PATCH = 32
PERIOD_NS = 3_125_000
HOP_NS = PATCH * PERIOD_NS  # 0.1 s; evidence looks back over 128 rows, 0.4 s
LOOSE, STRICT = 3600.0, 60.0  # accepted false alarms an hour: an alarm every few seconds, or few


def trace_of(scores: list[float], *, warming: int = 0, silence_after: int | None = None) -> Trace:
    first_ns = np.arange(len(scores), dtype=np.int64) * HOP_NS
    if silence_after is not None:
        first_ns[silence_after + 1 :] += HOP_NS
    return Trace(
        first_ns=first_ns,
        last_ns=first_ns + (PATCH - 1) * PERIOD_NS,
        is_watching=np.arange(len(scores)) >= warming,
        scores=np.array(scores),
        thresholds=np.full(len(scores), 3.0),
        is_transient=np.zeros(len(scores), dtype=np.bool_),
        evidence=np.zeros((len(scores), 3)),
        contributions=np.ones((len(scores), 1)),
        detections=(),
        period_ns=PERIOD_NS,
        patch=PATCH,
    )


def spans(
    trace: Trace, *, threshold: float = 3.0, merge_s: float = 0.25, min_duration_s: float = 0.0
) -> list[tuple[int, int, int]]:
    settings = DetectionConfig(merge_s=merge_s, min_duration_s=min_duration_s)
    alarms = track(trace, threshold, settings)
    each = zip(alarms.first, alarms.raised, alarms.last, strict=True)
    return [(int(first), int(raised), int(last)) for first, raised, last in each]


def test_alarms_within_the_merge_time_are_one_event_and_others_apart() -> None:
    # Five quiet hops end 0.5 s after the last alarm, six end 0.6 s after it.
    scores = [0.0, 4, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 4]
    assert spans(trace_of(scores), merge_s=0.55) == [(1, 1, 7), (14, 14, 14)]
    assert spans(trace_of(scores), merge_s=0.65) == [(1, 1, 14)]


def test_alarms_within_the_rows_that_evidence_looks_back_on_are_one_event() -> None:
    # Four quiet hops end 0.4 s after the last alarm, five end 0.5 s after it.
    scores = [0.0, 4, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4]
    assert spans(trace_of(scores), merge_s=0.0) == [(1, 1, 6), (12, 12, 12)]


def test_score_at_the_threshold_alarms_and_one_below_does_not() -> None:
    assert spans(trace_of([2.9, 3.0, 2.9])) == [(1, 1, 1)]
    assert spans(trace_of([2.9, 3.0, 2.9]), threshold=3.1) == []


def test_short_alarm_is_no_event_and_a_long_one_is_reported_when_it_is_long_enough() -> None:
    # From the first row of the first to the last row of the last: 97 ms for one alarm, 297 ms for
    # three.
    scores = [4.0, 0, 0, 0, 0, 0, 4, 4, 4, 4]
    assert spans(trace_of(scores), min_duration_s=0.2) == [(6, 8, 9)]


def test_no_event_goes_on_over_a_gap_and_none_begins_while_warming_up() -> None:
    assert spans(trace_of([4, 4, 4, 4], silence_after=1)) == [(0, 0, 1), (2, 2, 3)]
    assert spans(trace_of([4, 4, 4, 4], warming=2)) == [(2, 2, 3)]


def with_gaps(recording: Recording) -> Iterator[Row | Gap]:
    """Twelve seconds, 0.4 s of silence, twelve more, 6 s of silence, and the rest."""
    stamps = recording.stamps_ns.copy()
    stamps[1200:] += 400_000_000
    stamps[2400:] += 6 * NS_PER_S
    fresh = np.ones(recording.values.shape[1], dtype=np.bool_)
    for number, stamp in enumerate(stamps.tolist()):
        if number in (1200, 2400):
            yield Gap(int(stamps[number - 1]) + 10_000_000, stamp)
        yield Row(stamp, recording.values[number], recording.peaks[number], fresh)


def hops(engine: Engine, items: Iterator[Row | Gap]) -> Iterator[Hop]:
    yield from (hop for item in items if (hop := engine.push(item)) is not None)
    if closing := engine.finish():
        yield closing


@pytest.mark.parametrize(
    ('rate', 'merge_s', 'min_duration_s'),
    [(LOOSE, 0.0, 0.0), (LOOSE, 2.0, 0.0), (LOOSE, 0.1, 0.1), (STRICT, 0.5, 0.0)],
)
def test_own_threshold_gives_the_events_that_the_detector_reported(
    rate: float,
    merge_s: float,
    min_duration_s: float,
    rotor_model: DetectorModel,
    make_rotor: Callable[[float, int], Recording],
) -> None:
    detection = dataclasses.replace(
        rotor_model.config.detection,
        false_alarms_per_hour=rate,
        merge_s=merge_s,
        min_duration_s=min_duration_s,
    )
    engine = Engine(rotor_model, dataclasses.replace(rotor_model.config, detection=detection))
    recording = make_rotor(45.0, 80)
    recording.values[1180:1220, 0] += 200.0  # an alarm that the first gap cuts
    recording.values[3000:3040, 1] -= 200.0
    trace = record(hops(engine, with_gaps(recording)), channels=4, patch=4, period_ns=10_000_000)
    alarms = track(trace, engine.threshold, detection)
    assert len(trace.detections) >= 2
    assert trace.first_ns[alarms.first].tolist() == [hit.onset_ns for hit in trace.detections]
    assert trace.last_ns[alarms.last].tolist() == [hit.end_ns for hit in trace.detections]
    raised_ns = trace.last_ns[alarms.raised] + trace.period_ns
    assert raised_ns.tolist() == [hit.raised_ns for hit in trace.detections]
