from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import DualPathWeights, Layer, at_precision
from taolora_ros.samples import NS_PER_S, Event, EventState, Gap, Hop, Phase, Recording, Row

Rotor = Callable[[float, int], Recording]


def _rows(recording: Recording, start_ns: int = 0) -> list[Row]:
    columns = recording.values.shape[1]
    return [
        Row(start_ns + int(stamp), values, peaks, np.ones(columns, dtype=bool))
        for stamp, values, peaks in zip(
            recording.stamps_ns, recording.values, recording.peaks, strict=True
        )
    ]


def _push(engine: Engine, items: list[Row] | list[Gap]) -> list[Hop]:
    return [hop for item in items if (hop := engine.push(item)) is not None]


def _events(hops: list[Hop], state: EventState) -> list[Event]:
    return [hop.event for hop in hops if hop.event and hop.event.state is state]


def _hit(recording: Recording, at_s: float, strength: float, channel: int = 0) -> Recording:
    """An impact: a decaying oscillation of the rotor, as a hammer would cause."""
    values = recording.values.copy()
    start = round(at_s * 100.0)
    ringing = np.exp(-np.arange(30) / 6.0) * np.cos(2 * np.pi * np.arange(30) * 0.3)
    values[start : start + 30, channel] += strength * values[:, channel].std() * ringing
    return dataclasses.replace(recording, values=values)


def test_it_warms_up_for_the_configured_time_then_watches(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    hops = _push(Engine(rotor_model), _rows(make_rotor(4.0, 50)))
    warming = [hop for hop in hops if hop.phase is Phase.WARMING]
    assert len(warming) == 50  # 2 s of tokens of 4 rows at 100 Hz
    assert all(hop.score == 0.0 and hop.p_value == 1.0 for hop in warming)
    assert all(hop.phase is Phase.WATCHING for hop in hops[50:])


def test_normal_operation_raises_few_events_in_a_session_with_its_own_load(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    sessions = [
        _push(Engine(rotor_model), _rows(make_rotor(60.0, seed))) for seed in range(60, 66)
    ]
    found = sum(len(_events(hops, EventState.ONSET)) for hops in sessions)
    # Six an hour are accepted: 0.6 in these six minutes; 5 or more have a chance of 4 in 10,000.
    assert found < 5


def test_an_impact_is_an_event_within_two_hops_and_names_its_channel(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    hops = _push(Engine(rotor_model), _rows(_hit(make_rotor(20.0, 70), 12.0, 8.0, channel=1)))
    (onset, *_) = _events(hops, EventState.ONSET)
    assert 0 <= onset.onset_ns / NS_PER_S - 12.0 + 0.04 <= 0.12
    (end, *_) = _events(hops, EventState.END)
    assert end.contributions.argmax() == 1
    assert np.isclose(end.contributions.sum(), 1.0)


def test_an_impact_takes_the_fp16_path_within_one_hop(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    hops = _push(Engine(rotor_model), _rows(_hit(make_rotor(20.0, 71), 12.0, 8.0)))
    hit = next(hop for hop in hops if hop.first_ns <= 12 * NS_PER_S <= hop.last_ns)
    after = hops[hops.index(hit) + 1]
    assert hit.routing.is_transient or after.routing.is_transient


def test_steady_input_stays_on_the_int4_path(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    sessions = [
        _push(Engine(rotor_model), _rows(make_rotor(60.0, seed))) for seed in range(72, 75)
    ]
    mask = [hop.routing.is_transient for hops in sessions for hop in hops]
    assert np.mean(mask) < 0.02


def test_the_same_rows_give_the_same_hops_however_they_are_joined(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    rows = _rows(make_rotor(10.0, 73))
    whole = _push(Engine(rotor_model), rows)
    # Joining the stream in mid-token drops the broken token; the rest keeps the same borders.
    late = _push(Engine(rotor_model), rows[3:])
    assert [hop.first_ns for hop in late] == [hop.first_ns for hop in whole[1:]]


def test_a_short_gap_keeps_the_session_and_raises_no_event(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    engine = Engine(rotor_model)
    rows = _rows(make_rotor(30.0, 74))
    _push(engine, rows[:1000])
    assert engine.push(Gap(rows[1000].stamp_ns, rows[1150].stamp_ns)) is None
    after = _push(engine, rows[1150:])
    warming = sum(hop.phase is Phase.WARMING for hop in after)
    assert warming == 10  # 8 + 32 rows fill the windows
    assert not _events(after, EventState.ONSET)


def test_a_long_gap_re_bases(rotor_model: DetectorModel, make_rotor: Rotor) -> None:
    engine = Engine(rotor_model)
    rows = _rows(make_rotor(20.0, 75))
    _push(engine, rows)
    pause = 27 * NS_PER_S
    engine.push(Gap(rows[-1].stamp_ns, rows[-1].stamp_ns + pause))
    after = _push(engine, _rows(make_rotor(20.0, 76), rows[-1].stamp_ns + pause + 10_000_000))
    assert sum(hop.phase is Phase.WARMING for hop in after) in (49, 50)
    assert not _events(after, EventState.ONSET)


def test_a_gap_ends_an_open_event(rotor_model: DetectorModel, make_rotor: Rotor) -> None:
    engine = Engine(rotor_model)
    rows = _rows(_hit(make_rotor(20.0, 77), 12.0, 20.0))
    hops = _push(engine, rows[:1210])
    assert hops[-1].event is not None
    closing = engine.push(Gap(rows[1210].stamp_ns, rows[1400].stamp_ns))
    assert closing is not None
    assert closing.event is not None
    assert closing.event.state is EventState.END


def test_finish_ends_an_open_event_and_is_quiet_otherwise(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    engine = Engine(rotor_model)
    _push(engine, _rows(_hit(make_rotor(20.0, 78), 12.0, 20.0))[:1210])
    closing = engine.finish()
    assert closing is not None
    assert closing.event is not None
    assert engine.finish() is None


def test_the_buffer_keeps_the_rows_of_an_impact_as_they_came(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    engine = Engine(rotor_model)
    recording = _hit(make_rotor(20.0, 79), 12.0, 20.0)
    _push(engine, _rows(recording))
    engine.finish()
    excerpt = next(kept for kept in engine.buffer.take() if 1150 * 10**7 in kept.stamps_ns)
    rows = excerpt.stamps_ns // 10_000_000
    np.testing.assert_array_equal(excerpt.values, recording.values[rows])


def test_accepting_fewer_false_alarms_takes_effect_between_hops(
    rotor_model: DetectorModel, rotor_config: Config, make_rotor: Rotor
) -> None:
    engine = Engine(rotor_model)
    rows = _rows(make_rotor(8.0, 80))
    before = _push(engine, rows[:400])[-1].threshold
    strict = dataclasses.replace(rotor_config.detection, false_alarms_per_hour=0.01)
    engine.retune(dataclasses.replace(rotor_config, detection=strict))
    after = _push(engine, rows[400:])
    assert after[0].phase is Phase.WATCHING
    assert after[0].threshold > before


def test_a_constant_channel_contributes_nothing(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    recording = make_rotor(10.0, 81)
    recording.values[500:, 3] = 1e9
    hops = _push(Engine(rotor_model), _rows(recording))
    assert all(hop.contributions[3] == 0.0 for hop in hops if hop.p_value < 0.1)


def test_noise_that_outlasts_the_tracking_time_becomes_usual(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    config = rotor_model.config
    detection = dataclasses.replace(config.detection, tracking_s=60.0)
    watch = dataclasses.replace(
        rotor_model.watch, config=dataclasses.replace(config, detection=detection)
    )
    model = dataclasses.replace(rotor_model, watch=watch)
    recording = make_rotor(150.0, 82)
    recording.values[1000:, :3] += (
        np.random.default_rng(0).normal(size=(14_000, 3)) * 3.0 * recording.values[:, :3].std(0)
    )
    hops = _push(Engine(model), _rows(recording))
    ratios = np.array([hop.routing.variance_ratio for hop in hops])
    limit = rotor_model.watch.limits.variance_ratio
    assert np.median(ratios[260:500]) > limit  # the first ten seconds
    assert np.median(ratios[-500:]) < limit  # more than a minute after its onset


def test_a_finished_stream_can_go_on_without_a_broken_token(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    engine = Engine(rotor_model)
    rows = _rows(make_rotor(12.0, 83))
    _push(engine, rows[:402])
    engine.finish()
    after = _push(engine, rows[1002:])
    assert all(hop.last_ns - hop.first_ns == 30_000_000 for hop in after)


def test_every_dense_layer_runs_in_the_arithmetic_that_is_asked_for(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    names = []
    activation = rotor_model.config.quantization.activation
    exact = at_precision(Precision.FP32, activation)

    def build(name: str, weights: DualPathWeights) -> Layer:
        names.append(name)
        return exact(name, weights)

    rows = _rows(make_rotor(6.0, 80))
    twin = [hop.score for hop in _push(Engine(rotor_model, build=build), rows)]
    routed = [hop.score for hop in _push(Engine(rotor_model), rows)]
    asked = at_precision(Precision.INT4_ROUTED, activation)
    assert names == ['skip.linear', 'relation'] == list(rotor_model.watch.layers())
    plain = [hop.score for hop in _push(Engine(rotor_model, build=asked), rows)]
    np.testing.assert_allclose(plain, routed, atol=1e-4)  # in decades; the engine is compiled
    assert twin != routed
    np.testing.assert_allclose(twin, routed, atol=0.5)  # decades: rounding is small
