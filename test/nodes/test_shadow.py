from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from taolora_ros.config import Config, overlay
from taolora_ros.detection.scoring import score
from taolora_ros.detection.watch import Watch, warmup_rows
from taolora_ros.engine import DetectorModel, Engine, Taken
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import BuildLayer, at_precision
from taolora_ros.nodes import loading
from taolora_ros.nodes.loading import make_shadow
from taolora_ros.nodes.shadow import Shadow, lead_hops
from taolora_ros.nodes.status import Agreement
from taolora_ros.samples import Gap, Phase, Recording, Row

ALARMING = {'detection': {'false_alarms_per_hour': 3000.0}}  # so that decisions have to be made
TICK_NS = 1_000


@pytest.fixture(scope='module')
def rows(make_rotor: Callable[[float, int], Recording]) -> list[Row]:
    """24 seconds of the rotor, 600 tokens; for four of them it is shaken thrice as far."""
    recording = make_rotor(24.0, 7)
    values = recording.values.copy()
    values[1000:1400, 0] *= 3.0
    fresh = np.ones(4, bool)
    return [
        Row(int(stamp_ns), row, np.zeros(4), fresh)
        for stamp_ns, row in zip(recording.stamps_ns, values, strict=True)
    ]


@pytest.fixture(scope='module')
def perturbed(rotor_model: DetectorModel) -> DetectorModel:
    """The same 4 bits, and a twin whose skip predicts the opposite."""
    skip, relation = rotor_model.watch.network.skip, rotor_model.watch.relation
    assert skip.linear.dense is not None
    linear = dataclasses.replace(skip.linear, dense=-skip.linear.dense)
    network = dataclasses.replace(
        rotor_model.watch.network, skip=dataclasses.replace(skip, linear=linear)
    )
    watch = dataclasses.replace(rotor_model.watch, network=network, relation=relation)
    return dataclasses.replace(rotor_model, watch=watch)


def _exact(model: DetectorModel) -> BuildLayer:
    return at_precision(Precision.FP32, model.config.quantization.activation)


def _ticks() -> Callable[[], int]:
    """A clock of which each look is 1 µs after the one before."""
    ticks = itertools.count(step=TICK_NS)
    return lambda: next(ticks)


def _shadow(model: DetectorModel, fraction: float) -> Shadow:
    return Shadow(model, fraction, clock_ns=_ticks())


def _engine(
    model: DetectorModel,
    shadow: Shadow,
    taken: list[Taken] | None = None,
    *,
    build: BuildLayer | None = None,
) -> Engine:
    engine = Engine(model, overlay(model.config, ALARMING), build=build)

    def note(token: Taken) -> None:
        shadow.take(token)
        if taken is not None:
            taken.append(token)

    engine.on_taken = note
    return engine


def _run(engine: Engine, shadow: Shadow, items: Sequence[Row | Gap]) -> None:
    """Push everything; the twin keeps up."""
    for item in items:
        engine.push(item)
        while shadow.step():
            pass


def _by_hand(model: DetectorModel, taken: Sequence[Taken], wanted: slice) -> Agreement:
    """Agreement over some watched hops by a twin that takes every token from the start."""
    twin = Watch(model.watch, _exact(model))
    pairs = []
    for token in taken:
        observed = twin.step(token.values, token.peaks, is_frozen=token.is_frozen)
        if observed is not None:
            pairs.append((token.hop, score(observed.evidences, model.scores).value))
    pairs = pairs[wanted]
    differences = [abs(hop.score - twin_score) for hop, twin_score in pairs]
    decisions = [
        (hop.score >= hop.threshold, twin_score >= hop.threshold) for hop, twin_score in pairs
    ]
    return Agreement(
        hops=len(pairs),
        differing=sum(live is not exact for live, exact in decisions),
        mean_difference=float(np.mean(differences)),
        largest_difference=max(differences),
    )


def _assert_equal(agreement: Agreement, expected: Agreement) -> None:
    assert (agreement.hops, agreement.differing) == (expected.hops, expected.differing)
    assert agreement.mean_difference == pytest.approx(expected.mean_difference, rel=1e-9)
    assert agreement.largest_difference == pytest.approx(expected.largest_difference, rel=1e-9)


def test_a_score_depends_on_128_rows_and_what_the_network_remembers(
    rotor_config: Config,
) -> None:
    # 32 tokens of four rows; the skip's order of 8 rows is two tokens, plus one for its start.
    assert lead_hops(rotor_config) == 32 + 3


@pytest.mark.parametrize('fraction', [0.15, 0.5, 1.0])
def test_a_twin_of_the_same_arithmetic_agrees_exactly(
    rotor_model: DetectorModel, rows: list[Row], fraction: float
) -> None:
    shadow = _shadow(rotor_model, fraction)
    _run(_engine(rotor_model, shadow, build=_exact(rotor_model)), shadow, rows)
    agreement = shadow.agreement
    assert agreement.hops > 0
    assert agreement == Agreement(hops=agreement.hops)


def test_every_hop_after_the_lead_is_compared_with_fraction_1(
    perturbed: DetectorModel, rows: list[Row]
) -> None:
    shadow, taken = _shadow(perturbed, 1.0), list[Taken]()
    _run(_engine(perturbed, shadow, taken), shadow, rows)
    expected = _by_hand(perturbed, taken, slice(lead_hops(perturbed.config), None))
    assert expected.differing > 0
    assert expected.largest_difference > 0.01
    _assert_equal(shadow.agreement, expected)


def test_a_stretch_is_scored_as_by_a_twin_that_ran_since_the_start(
    perturbed: DetectorModel, rows: list[Row]
) -> None:
    lead = lead_hops(perturbed.config)
    shadow, taken = _shadow(perturbed, 0.2), list[Taken]()
    _run(
        _engine(perturbed, shadow, taken), shadow, rows[: warmup_rows(perturbed.config) + 4 * 200]
    )
    _assert_equal(shadow.agreement, _by_hand(perturbed, taken, slice(lead, 2 * lead)))


@pytest.mark.parametrize('fraction', [0.1, 0.3, 0.8])
def test_the_share_of_compared_hops_is_the_fraction(
    rotor_model: DetectorModel, rows: list[Row], fraction: float
) -> None:
    shadow, taken = _shadow(rotor_model, fraction), list[Taken]()
    _run(_engine(rotor_model, shadow, taken), shadow, rows)
    watched = sum(token.hop.phase is Phase.WATCHING for token in taken)
    stretch = lead_hops(rotor_model.config)
    assert shadow.agreement.hops == pytest.approx(fraction * watched, abs=stretch)
    assert shadow.agreement.dropped_stretches == 0


@pytest.mark.parametrize('at_row', [1202, 1204])
@pytest.mark.parametrize('kind', ['gap', 'rebase'])
def test_a_break_ends_the_stretch_and_leaves_nothing_behind(
    rotor_model: DetectorModel, rows: list[Row], kind: str, at_row: int
) -> None:
    shadow = _shadow(rotor_model, 1.0)
    engine = _engine(rotor_model, shadow, build=_exact(rotor_model))
    _run(engine, shadow, rows[:at_row])
    before = shadow.agreement.hops
    if kind == 'gap':
        at = rows[at_row].stamp_ns, rows[at_row + 40].stamp_ns
        _run(engine, shadow, [Gap(*at), *rows[at_row + 40 :]])
    else:
        engine.rebase()
        _run(engine, shadow, rows[at_row:])
    agreement = shadow.agreement
    assert 0 < before < agreement.hops
    assert agreement == Agreement(hops=agreement.hops)


def test_what_waits_is_bounded_and_what_is_too_much_is_counted(
    rotor_model: DetectorModel, rows: list[Row]
) -> None:
    shadow = _shadow(rotor_model, 1.0)
    engine = _engine(rotor_model, shadow)
    most = 0
    for row in rows:
        engine.push(row)
        most = max(most, shadow.waiting)
    lead, warmup = lead_hops(rotor_model.config), warmup_rows(rotor_model.config) // 4
    assert most == warmup + 2 * lead
    assert shadow.agreement.dropped_stretches > 0
    assert shadow.agreement.hops == 0
    while shadow.step():
        pass
    assert shadow.agreement.hops == lead


def test_a_new_session_drops_what_waits_and_begins_to_count_anew(
    rotor_model: DetectorModel, rows: list[Row]
) -> None:
    shadow = _shadow(rotor_model, 1.0)
    engine = _engine(rotor_model, shadow)
    _run(engine, shadow, rows[:1000])
    for row in rows[1000:1040]:
        engine.push(row)
    assert shadow.agreement.hops > 0
    assert shadow.waiting == 10
    engine.reset()
    shadow.reset()
    assert (shadow.agreement, shadow.waiting, shadow.step()) == (Agreement(), 0, False)


@pytest.fixture
def behind(rotor_model: DetectorModel, rows: list[Row]) -> Shadow:
    """A twin for which tokens wait."""
    shadow = _shadow(rotor_model, 1.0)
    engine = _engine(rotor_model, shadow)
    for row in rows[:1000]:
        engine.push(row)
    return shadow


def test_the_twin_takes_what_fits_into_the_spare_time(behind: Shadow) -> None:
    shadow, waiting = behind, behind.waiting
    shadow.work(0)
    assert shadow.waiting == waiting
    # Each token costs a tick and another look at the clock: 10 ticks hold five of them.
    shadow.work(10 * TICK_NS)
    assert shadow.waiting == waiting - 5
    shadow.work(10**9)
    assert shadow.waiting == 0


def test_a_twin_too_slow_for_the_spare_time_gets_one_token_in_a_thousand_times(
    behind: Shadow,
) -> None:
    shadow, waiting = behind, behind.waiting
    for _ in range(999):
        shadow.work(1)
    assert shadow.waiting == waiting
    shadow.work(1)
    assert shadow.waiting == waiting - 1


def test_there_is_no_twin_with_fraction_0(rotor_model: DetectorModel) -> None:
    assert make_shadow(0.0, rotor_model) == (None, '')


def test_a_model_without_its_twin_is_warned_of_once(
    rotor_model: DetectorModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    relation = rotor_model.watch.relation
    bare = dataclasses.replace(relation, linear=dataclasses.replace(relation.linear, dense=None))
    model = dataclasses.replace(
        rotor_model, watch=dataclasses.replace(rotor_model.watch, relation=bare)
    )
    said: list[str] = []
    monkeypatch.setattr(loading.log, 'warning', lambda event, **facts: said.append(event))
    shadow, reason = make_shadow(0.01, model)
    assert shadow is None
    assert 'without its FP32 twin' in reason
    assert said == ['no fidelity watch']
