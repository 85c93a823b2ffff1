from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.trace import record
from taolora_ros.samples import Event, EventState, Hop, Phase, Routing, Severity

PERIOD_NS = 10
PATCH = 4


def event(state: EventState, end_ns: int, *, identity: int = 1) -> Event:
    return Event(
        id=identity,
        state=state,
        severity=Severity.MINOR,
        onset_ns=40,
        peak_ns=50,
        end_ns=end_ns,
        score=3.0,
        peak_score=5.0,
        threshold=2.0,
        p_value=1e-5,
        contributions=np.array([0.75, 0.25]),
        fp16_share=0.5,
    )


def hop(number: int, score: float, told: Event | None = None) -> Hop:
    first_ns = number * PATCH * PERIOD_NS
    return Hop(
        first_ns=first_ns,
        last_ns=first_ns + (PATCH - 1) * PERIOD_NS,
        phase=Phase.WATCHING if number else Phase.WARMING,
        score=score,
        threshold=2.0,
        p_value=10**-score,
        contributions=np.array([0.5, 0.5]),
        routing=Routing(score > 2, 1.0, 0.0, 0.0),
        event=told,
    )


def test_hops_become_arrays_and_their_last_word_on_an_event_stays() -> None:
    hops = [
        hop(0, 0.0),
        hop(1, 3.0, event(EventState.ONSET, 70)),
        hop(2, 3.0, event(EventState.ONGOING, 110)),
        hop(3, 1.0, event(EventState.END, 110)),
    ]
    trace = record(hops, channels=2, patch=PATCH, period_ns=PERIOD_NS)
    assert trace.is_watching.tolist() == [False, True, True, True]
    assert trace.is_transient.tolist() == [False, True, True, False]
    (detection,) = trace.detections
    assert (detection.onset_ns, detection.end_ns) == (40, 110)
    assert detection.raised_ns == 80  # the end of the second token


def test_closing_hop_of_a_finished_pipeline_adds_no_token() -> None:
    last = hop(1, 3.0, event(EventState.ONSET, 70))
    closing = hop(1, 3.0, event(EventState.END, 70))
    trace = record([hop(0, 0.0), last, closing], channels=2, patch=PATCH, period_ns=PERIOD_NS)
    assert len(trace.first_ns) == 2
    assert len(trace.detections) == 1


def test_rows_take_the_value_of_their_token() -> None:
    trace = record([hop(0, 0.0), hop(1, 1.0)], channels=2, patch=PATCH, period_ns=PERIOD_NS)
    assert trace.row_stamps_ns.tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert trace.rows(trace.scores).tolist() == [0.0] * 4 + [1.0] * 4


def test_no_hops_make_an_empty_trace() -> None:
    trace = record([], channels=2, patch=PATCH, period_ns=PERIOD_NS)
    assert trace.contributions.shape == (0, 2)
    assert trace.evidence.shape == (0, 3)
    assert trace.row_stamps_ns.shape == (0,)
