from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.evaluation.datasets.series import Series
from taolora_ros.evaluation.quantizers.probes import normal_segments, probe
from taolora_ros.samples import Phase, Recording, Row

Rotor = Callable[[float, int], Recording]


def test_segments_are_re_based_apart_and_short_ones_left_out(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    whole = make_rotor(12.0, 92)
    broken = dataclasses.replace(whole, starts=(0, 500, 550))
    found = normal_segments(rotor_model.watch, [broken])
    assert [len(rows) for rows in found] == [500, 650]  # 50 rows are less than the warm-up of 200
    later = dataclasses.replace(
        whole, values=whole.values[550:], peaks=whole.peaks[550:], starts=(0,)
    )
    np.testing.assert_array_equal(found[1], normal_segments(rotor_model.watch, [later])[0])


def test_a_token_with_one_labeled_row_is_an_event_and_is_routed_as_live(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    recording = make_rotor(8.02, 93)  # 802 rows: two are left over
    recording.values[603, 0] += 40.0 * recording.values[:, 0].std()
    labels = np.zeros(802, bool)
    labels[603] = True
    series = Series('hit', (), recording, labels, continues=False, rate_hz=100.0)
    found = probe(rotor_model.watch, series)
    assert found.rows.shape[0] == 800
    assert np.flatnonzero(found.is_event).tolist() == [150]
    assert found.is_routed[150]
    assert found.is_routed[:150].mean() < 0.1


def test_the_mask_is_that_of_the_engine_until_something_freezes_it(
    rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    recording = make_rotor(6.0, 94)
    series = Series('calm', (), recording, np.zeros(600, bool), continues=False, rate_hz=100.0)
    engine = Engine(rotor_model)
    hops = [
        hop
        for index, values in enumerate(recording.values)
        if (
            hop := engine.push(
                Row(int(recording.stamps_ns[index]), values, np.zeros(4), np.ones(4, bool))
            )
        )
    ]
    live = [hop.routing.is_transient for hop in hops if hop.phase is Phase.WATCHING]
    assert not any(hop.event for hop in hops)
    # The session's location is followed live and kept here: near its limit a token may differ.
    assert np.mean(np.array(live) == probe(rotor_model.watch, series).is_routed[50:]) > 0.98
