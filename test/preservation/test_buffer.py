from __future__ import annotations

import numpy as np

from taolora_ros.config import PreservationConfig
from taolora_ros.preservation.buffer import OutlierBuffer
from taolora_ros.samples import NS_PER_S, Event, EventState, Row, Severity

PERIOD_S = 0.1


def _row(index: int) -> Row:
    stamp = round(index * PERIOD_S * NS_PER_S)
    return Row(stamp, np.array([float(index)]), np.zeros(1), np.ones(1, dtype=bool))


def _event(onset: int, end: int, state: EventState, number: int = 1) -> Event:
    return Event(
        id=number,
        state=state,
        severity=Severity.MINOR,
        onset_ns=_row(onset).stamp_ns,
        peak_ns=_row(onset).stamp_ns,
        end_ns=_row(end).stamp_ns,
        score=4.0,
        peak_score=4.0,
        threshold=3.0,
        p_value=1e-4,
        contributions=np.ones(1),
        fp16_share=1.0,
    )


def _play(buffer: OutlierBuffer, rows: int = 60) -> None:
    """Rows 0 to `rows`, with an event from row 20 to row 25 that ends being known at row 27."""
    for index in range(rows):
        buffer.push(_row(index))
        if 20 <= index < 27:
            state = EventState.ONSET if index == 20 else EventState.ONGOING
            buffer.follow(_event(20, min(index, 25), state))
        elif index == 27:
            buffer.follow(_event(20, 25, EventState.END))


def test_an_excerpt_reaches_from_before_the_onset_to_after_the_end() -> None:
    buffer = OutlierBuffer(PreservationConfig(pre_s=0.5, post_s=1.0), 1, PERIOD_S, lead_rows=20)
    _play(buffer)
    (excerpt,) = buffer.take()
    # From half a second before the onset at row 20 to row 35, one second after row 25.
    assert excerpt.values.ravel().tolist() == list(range(15, 36))
    assert excerpt.event_id == 1
    assert not excerpt.is_cut


def test_memory_stays_bounded_and_what_is_cut_is_counted() -> None:
    config = PreservationConfig(pre_s=0.5, post_s=600.0, max_mb=0.1)
    buffer = OutlierBuffer(config, 1, PERIOD_S, lead_rows=20)
    most = int(0.1e6 / (450 + 17))
    _play(buffer, rows=most + 200)
    assert buffer.dropped_rows == most + 200 - 15 - most
    buffer.clear()
    (excerpt,) = buffer.take()
    assert excerpt.is_cut
    assert len(excerpt.values) == most


def test_a_second_event_in_the_aftermath_finishes_the_first() -> None:
    buffer = OutlierBuffer(PreservationConfig(pre_s=0.5, post_s=5.0), 1, PERIOD_S, lead_rows=20)
    _play(buffer, rows=40)
    buffer.follow(_event(40, 40, EventState.ONSET, number=2))
    buffer.push(_row(40))
    buffer.clear()
    assert [excerpt.event_id for excerpt in buffer.take()] == [1, 2]


def test_taking_twice_returns_an_excerpt_once() -> None:
    buffer = OutlierBuffer(PreservationConfig(pre_s=0.5, post_s=1.0), 1, PERIOD_S, lead_rows=20)
    _play(buffer)
    assert len(buffer.take()) == 1
    assert buffer.take() == []


def test_an_event_told_late_is_kept_from_before_its_onset() -> None:
    buffer = OutlierBuffer(PreservationConfig(pre_s=0.5, post_s=0.0), 1, PERIOD_S, lead_rows=20)
    for index in range(40):
        buffer.push(_row(index))
    buffer.follow(_event(25, 39, EventState.ONSET))
    buffer.clear()
    (excerpt,) = buffer.take()
    assert excerpt.values.ravel().tolist() == list(range(20, 40))
