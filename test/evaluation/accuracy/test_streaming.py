from __future__ import annotations

import dataclasses

import numpy as np

from taolora_ros.detection.evidence import Evidence
from taolora_ros.detection.watch import warmup_rows
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.evaluation.accuracy.streaming import items, row_scores, stream
from taolora_ros.evaluation.accuracy.subjects import Case
from taolora_ros.samples import NS_PER_S, Gap, Recording, Row

PERIOD_NS = NS_PER_S // 100


def test_scores_are_those_of_the_engine(rotor_model: DetectorModel, struck: Case) -> None:
    engine = Engine(rotor_model)
    hops = [engine.push(item) for item in items(struck.recording, PERIOD_NS)]
    scores = [hop.score for hop in hops if hop]
    streamed = stream(rotor_model, struck)
    assert streamed.trace.scores.tolist() == scores
    assert streamed.statistics.shape == (len(scores), len(Evidence))


def test_statistics_say_nothing_while_warming_up(rotor_model: DetectorModel, struck: Case) -> None:
    streamed = stream(rotor_model, struck)
    warming = warmup_rows(rotor_model.config) // 4
    assert not streamed.trace.is_watching[:warming].any()
    assert not streamed.statistics[:warming].any()
    assert streamed.statistics[warming:].any(axis=1).all()


def test_the_lead_runs_but_is_not_judged(rotor_model: DetectorModel, struck: Case) -> None:
    whole = stream(rotor_model, struck).trace
    led = dataclasses.replace(struck, lead=400, labels=struck.labels[400:])
    trace = stream(rotor_model, led).trace
    assert trace.first_ns[0] == struck.recording.stamps_ns[400]
    np.testing.assert_array_equal(trace.scores, whole.scores[100:])


def test_detections_over_before_the_lead_ends_are_left_out(
    rotor_model: DetectorModel, struck: Case
) -> None:
    assert len(stream(rotor_model, struck).trace.detections) > 0
    led = dataclasses.replace(struck, lead=1600, labels=struck.labels[1600:])
    limit = struck.recording.stamps_ns[1600]
    assert all(found.end_ns >= limit for found in stream(rotor_model, led).trace.detections)


def test_a_break_becomes_a_gap() -> None:
    stamps = np.array([0, 1, 5, 6], dtype=np.int64) * PERIOD_NS
    recording = Recording('r', stamps, np.zeros((4, 1)), np.zeros((4, 1)), starts=(0, 2))
    found = list(items(recording, PERIOD_NS))
    assert [type(item) for item in found] == [Row, Row, Gap, Row, Row]
    assert found[2] == Gap(2 * PERIOD_NS, 5 * PERIOD_NS)


def test_a_row_has_the_score_of_its_token(rotor_model: DetectorModel, struck: Case) -> None:
    trace = stream(rotor_model, struck).trace
    rows = row_scores(struck, trace, trace.scores)
    assert rows.shape == struck.labels.shape
    watching = int(trace.is_watching.argmax())
    assert not rows[: 4 * watching].any()
    assert rows[4 * watching : 4 * watching + 4].tolist() == [trace.scores[watching]] * 4


def test_rows_beyond_the_last_whole_token_score_nothing(
    rotor_model: DetectorModel, struck: Case
) -> None:
    recording = struck.recording
    cut = dataclasses.replace(
        struck,
        recording=dataclasses.replace(
            recording,
            stamps_ns=recording.stamps_ns[:2498],
            values=recording.values[:2498],
            peaks=recording.peaks[:2498],
        ),
        labels=struck.labels[:2498],
    )
    trace = stream(rotor_model, cut).trace
    rows = row_scores(cut, trace, np.ones(len(trace.scores)))
    assert rows[-3:].tolist() == [1.0, 0.0, 0.0]
