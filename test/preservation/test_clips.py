from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.preservation.clips import MESSAGE_BYTES, ClipLimits, ClipRecorder
from taolora_ros.samples import (
    NS_PER_S,
    Event,
    EventState,
    Hop,
    Phase,
    RawMessage,
    Routing,
    Severity,
)

SKEW_NS = 3 * NS_PER_S  # receipt is so much later than the stamps of the data


def _message(second: float, size: int = 10) -> RawMessage:
    receive_ns = round(second * NS_PER_S) + SKEW_NS
    return RawMessage('/a', 'std_msgs/msg/Float64', bytes(size), receive_ns)


def _hop(second: float, onset: float, end: float, state: EventState, number: int = 1) -> Hop:
    """A hop whose last row is at `second`."""
    onset_ns, end_ns = round(onset * NS_PER_S), round(end * NS_PER_S)
    event = Event(
        id=number,
        state=state,
        severity=Severity.MINOR,
        onset_ns=onset_ns,
        peak_ns=onset_ns,
        end_ns=end_ns,
        score=4.0,
        peak_score=4.0,
        threshold=3.0,
        p_value=1e-4,
        contributions=np.ones(1),
        fp16_share=1.0,
    )
    last_ns = round(second * NS_PER_S)
    routing = Routing(False, 1.0, 0.0, 0.0)
    return Hop(last_ns, last_ns, Phase.WATCHING, 4.0, 3.0, 1e-4, np.ones(1), routing, event)


def _recorder(
    *, pre: float = 1.0, post: float = 1.0, cooldown: float = 0.0, max_bytes: int = 10**6
) -> ClipRecorder:
    limits = ClipLimits(
        pre_ns=round(pre * NS_PER_S),
        post_ns=round(post * NS_PER_S),
        delay_ns=0,
        lead_ns=2 * NS_PER_S,
        cooldown_ns=round(cooldown * NS_PER_S),
        max_bytes=max_bytes,
    )
    return ClipRecorder(limits, now=lambda: 0.25)


def _hear(recorder: ClipRecorder, first: float, last: float) -> None:
    """Ten messages a second, `last` not included."""
    for tenth in range(round(first * 10), round(last * 10)):
        recorder.hear(_message(tenth / 10))


def _seconds(messages: tuple[RawMessage, ...]) -> list[float]:
    return [(message.receive_ns - SKEW_NS) / NS_PER_S for message in messages]


def test_a_clip_reaches_from_before_the_onset_to_after_the_end_by_receipt() -> None:
    recorder = _recorder()
    _hear(recorder, 0, 5.1)
    recorder.follow(_hop(5.0, 4.5, 5.0, EventState.ONSET))
    _hear(recorder, 5.1, 6.1)
    recorder.follow(_hop(6.0, 4.5, 5.5, EventState.END))
    assert recorder.take() == []
    _hear(recorder, 6.1, 9.0)
    (clip,) = recorder.take()
    assert _seconds(clip.messages) == pytest.approx(np.arange(3.5, 6.55, 0.1))
    assert clip.left_out == 0


def test_a_clip_whose_aftermath_has_passed_already_is_complete_at_once() -> None:
    recorder = _recorder(post=0.2)
    _hear(recorder, 0, 5.1)
    recorder.follow(_hop(5.0, 4.5, 4.6, EventState.ONSET))
    recorder.follow(_hop(5.0, 4.5, 4.6, EventState.END))
    (clip,) = recorder.take()
    assert _seconds(clip.messages) == pytest.approx(np.arange(3.5, 4.85, 0.1))


def test_its_name_is_made_of_the_time_of_day_and_the_number_of_the_event() -> None:
    recorder = _recorder()
    _hear(recorder, 0, 2.1)
    assert recorder.name_of(7) == ''
    recorder.follow(_hop(2.0, 2.0, 2.0, EventState.ONSET, number=7))
    assert recorder.name_of(7) == '19700101T000000.250_event7'


def test_an_event_in_the_aftermath_of_another_joins_its_clip() -> None:
    recorder = _recorder()
    _hear(recorder, 0, 3.1)
    recorder.follow(_hop(3.0, 2.9, 3.0, EventState.ONSET, number=1))
    recorder.follow(_hop(3.0, 2.9, 3.0, EventState.END, number=1))
    _hear(recorder, 3.1, 3.6)
    recorder.follow(_hop(3.5, 3.5, 3.5, EventState.ONSET, number=2))
    _hear(recorder, 3.6, 5.1)
    recorder.follow(_hop(5.0, 3.5, 4.5, EventState.END, number=2))
    _hear(recorder, 5.1, 7.0)
    (clip,) = recorder.take()
    assert recorder.name_of(1) == recorder.name_of(2) == clip.name
    assert _seconds(clip.messages) == pytest.approx(np.arange(1.9, 5.55, 0.1))


def test_an_event_within_the_cooldown_is_counted_and_gets_no_clip() -> None:
    recorder = _recorder(post=0.0, cooldown=1.0)
    _hear(recorder, 0, 3.1)
    recorder.follow(_hop(3.0, 3.0, 3.0, EventState.ONSET, number=1))
    recorder.follow(_hop(3.0, 3.0, 3.0, EventState.END, number=1))
    _hear(recorder, 3.1, 3.6)
    for state in (EventState.ONSET, EventState.ONGOING, EventState.END):
        recorder.follow(_hop(3.5, 3.5, 3.5, state, number=2))
    _hear(recorder, 3.6, 4.6)
    recorder.follow(_hop(4.5, 4.5, 4.5, EventState.ONSET, number=3))
    assert (recorder.name_of(2), recorder.skipped) == ('', 1)
    assert recorder.name_of(3) != ''
    assert len(recorder.take()) == 1


def test_memory_is_bounded_before_an_event_and_during_it() -> None:
    most = 12
    recorder = _recorder(pre=600.0, max_bytes=most * (10 + MESSAGE_BYTES))
    _hear(recorder, 0, 50.1)
    assert len(recorder.current().messages) == most
    recorder.follow(_hop(50.0, 50.0, 50.0, EventState.ONSET))
    _hear(recorder, 50.1, 52.1)
    recorder.finish()
    (clip,) = recorder.take()
    assert (len(clip.messages), clip.left_out) == (most, 20)


def test_a_clock_that_jumps_back_completes_the_clip_and_forgets_the_past() -> None:
    recorder = _recorder(cooldown=100.0)
    _hear(recorder, 0, 5.1)
    recorder.follow(_hop(5.0, 4.5, 5.0, EventState.ONSET))
    _hear(recorder, 1.0, 2.1)
    (clip,) = recorder.take()
    assert _seconds(clip.messages)[-1] == pytest.approx(5.0)
    assert _seconds(recorder.current().messages) == pytest.approx(np.arange(1.0, 2.05, 0.1))
    recorder.follow(_hop(2.0, 2.0, 2.0, EventState.ONSET, number=2))
    assert recorder.name_of(2) != ''  # the cooldown was told by a clock that is no more


def test_the_end_of_the_stream_completes_an_open_clip() -> None:
    recorder = _recorder()
    _hear(recorder, 0, 3.1)
    recorder.follow(_hop(3.0, 3.0, 3.0, EventState.ONSET))
    recorder.finish()
    (clip,) = recorder.take()
    assert _seconds(clip.messages) == pytest.approx(np.arange(2.0, 3.05, 0.1))
    assert recorder.current().messages == ()
