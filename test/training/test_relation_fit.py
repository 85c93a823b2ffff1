from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Config, QuantizationConfig
from taolora_ros.errors import ArtifactError
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.relation import LAGS, Relation, RelationWeights, relation_rows
from taolora_ros.training.relation_fit import fit_relation

CONFIG = Config(quantization=QuantizationConfig(rank=2))
GROUP = CONFIG.quantization.group


def _machine(rows: int, seed: int) -> np.ndarray:
    """Two drives, the load that both turn, and a sensor that belongs to nothing."""
    generator = np.random.default_rng(seed)
    drives = np.apply_along_axis(
        lambda noise: np.convolve(noise, np.ones(5) / 5**0.5, 'same'),
        0,
        generator.normal(size=(rows, 2)),
    )
    load = 0.6 * drives[:, 0] - 0.8 * np.roll(drives[:, 1], 1)
    other = generator.normal(size=rows)
    return np.column_stack([drives, load, other]).astype(np.float32)


@pytest.fixture(scope='module')
def weights() -> RelationWeights:
    return fit_relation([_machine(4000, 0), _machine(4000, 1)], CONFIG)


def _departures(weights: RelationWeights, rows: np.ndarray, precision: Precision) -> np.ndarray:
    build = at_precision(precision, CONFIG.quantization.activation)
    relation = Relation(weights, build=build)
    return np.concatenate(
        [
            relation.step(rows[start : start + 4], is_transient=False)
            for start in range(0, len(rows), 4)
        ]
    )


def test_rows_of_the_layer_are_the_lags_of_all_channels_and_padding() -> None:
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    inputs = relation_rows(rows, 32)
    assert inputs.shape == (3, 32)
    assert inputs[0, :8].tolist() == [*rows[7], *rows[6], *rows[4], *rows[0]]
    assert not inputs[:, 8:].any()


def test_a_load_follows_from_its_drives(weights: RelationWeights) -> None:
    departures = _departures(weights, _machine(2000, 2), Precision.FP32)[8:]
    power = (departures**2).mean(axis=0)
    assert power[2] < 0.01  # an exact relation, one row of lag included
    assert power[3] > 0.9  # nothing tells the lone sensor


def test_four_bits_keep_the_relation(weights: RelationWeights) -> None:
    departures = _departures(weights, _machine(2000, 2), Precision.INT4_ROUTED)[8:]
    assert (departures[:, 2] ** 2).mean() < 0.05


def test_no_channel_explains_itself(weights: RelationWeights) -> None:
    dense = weights.linear.dense
    assert dense is not None
    for lag in range(len(LAGS)):
        assert not np.diag(dense[4 * lag : 4 * (lag + 1)]).any()


def test_a_broken_relation_shows_in_its_channel(weights: RelationWeights) -> None:
    rows = _machine(2000, 3)
    rows[1000:, 2] *= 0.3  # the load no longer follows
    departures = _departures(weights, rows, Precision.INT4_ROUTED)
    before, after = (departures[8:1000] ** 2).mean(axis=0), (departures[1008:] ** 2).mean(axis=0)
    assert after[2] > 10.0 * before[2]


def test_streaming_equals_the_whole_recording(weights: RelationWeights) -> None:
    rows = _machine(400, 4)
    dense = weights.linear.dense
    assert dense is not None
    whole = rows[7:] - relation_rows(rows, GROUP) @ dense
    np.testing.assert_allclose(_departures(weights, rows, Precision.FP32)[7:], whole, atol=1e-5)


def test_after_a_reset_the_first_row_stands_for_the_past(weights: RelationWeights) -> None:
    build = at_precision(Precision.INT4_ROUTED, CONFIG.quantization.activation)
    relation = Relation(weights, build=build)
    rows = _machine(8, 5)
    first = relation.step(rows[:4], is_transient=False)
    relation.step(rows[4:], is_transient=False)
    relation.reset()
    np.testing.assert_array_equal(relation.step(rows[:4], is_transient=False), first)


def test_tensors_read_back_and_those_of_another_machine_are_refused(
    weights: RelationWeights,
) -> None:
    again = RelationWeights.from_tensors(weights.to_tensors(), 4, CONFIG)
    rows = _machine(100, 6)
    np.testing.assert_array_equal(
        _departures(again, rows, Precision.INT4_ROUTED),
        _departures(weights, rows, Precision.INT4_ROUTED),
    )
    with pytest.raises(ArtifactError):
        RelationWeights.from_tensors(weights.to_tensors(), 9, CONFIG)
