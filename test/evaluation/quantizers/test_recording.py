from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.detection.watch import WatchModel
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.quantizers.probes import normal_segments
from taolora_ros.evaluation.quantizers.recording import Recorder, calibrations, deviation, run
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.relation import Relation
from taolora_ros.model.skip import skip_rows
from taolora_ros.samples import Float32s, Recording
from taolora_ros.training.augmentation import Disturbance


@pytest.fixture
def model(rotor_model: DetectorModel) -> WatchModel:
    return rotor_model.watch


@pytest.fixture
def rows(model: WatchModel, make_rotor: Callable[[float, int], Recording]) -> Float32s:
    (segment,) = normal_segments(model, [make_rotor(8.0, 90)])
    return segment


def test_the_skip_is_given_the_rows_that_the_network_documents(
    model: WatchModel, rows: Float32s
) -> None:
    recorder, mask = Recorder(model), np.arange(len(rows) // 4) % 3 == 0
    run(model, recorder.build, rows, mask)
    past = np.repeat(rows[:1], 8, axis=0)
    expected = skip_rows(
        np.concatenate([past, rows]), model.network.skip.spread, order=8, group=32
    )
    np.testing.assert_array_equal(recorder.inputs('skip.linear'), expected)
    np.testing.assert_array_equal(recorder.mask('skip.linear'), np.repeat(mask, 4))
    np.testing.assert_array_equal(recorder.transient('skip.linear'), expected[np.repeat(mask, 4)])


def test_the_relation_runs_as_it_does_live(model: WatchModel, rows: Float32s) -> None:
    build = at_precision(Precision.INT4_ROUTED, model.config.quantization.activation)
    found = run(model, build, rows, np.zeros(len(rows) // 4, bool))
    relation = Relation(model.relation, build=build)
    live = np.concatenate(
        [relation.step(patch, is_transient=False) for patch in rows.reshape(-1, 4, 4)]
    )
    np.testing.assert_allclose((rows - found.related)[7:], live[7:], atol=1e-5)
    np.testing.assert_array_equal(found.related[:7], rows[:7])  # not enough is known yet


def test_a_calibration_has_normal_rows_and_larger_disturbed_ones(
    model: WatchModel, rows: Float32s
) -> None:
    found = calibrations(model, [rows, rows[:300]])
    assert set(found) == {'skip.linear', 'relation'}
    skip = found['skip.linear']
    assert skip.normal.shape == (len(rows) + 300, model.network.skip.linear.inputs)
    assert set(skip.transient) == set(Disturbance)
    assert np.abs(skip.disturbed).max() > 3.0 * np.abs(skip.normal).max()


def test_outputs_weigh_by_the_deviation_of_what_is_left(model: WatchModel, rows: Float32s) -> None:
    found = calibrations(model, [rows])
    exact = at_precision(Precision.FP32, model.config.quantization.activation)
    left = rows - run(model, exact, rows, np.zeros(len(rows) // 4, bool)).prediction
    sigma = np.sqrt((left[8:].astype(float) ** 2).mean(axis=0))
    assert sigma.tolist()[3] == 0.0  # the constant channel
    np.testing.assert_allclose(
        found['skip.linear'].metric[:3],
        (model.network.skip.spread[:3] / sigma[:3]).astype(float),
        rtol=1e-4,
    )


def test_a_column_that_never_moves_has_a_deviation_above_zero() -> None:
    assert (deviation(np.zeros((3, 2), np.float32)) > 0.0).all()
