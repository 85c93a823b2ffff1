"""The network: streaming, precisions, tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.config import Activation, Config
from taolora_ros.errors import ArtifactError
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.network import Network, NetworkWeights

PATCH = 4
ACTIVATION = Activation.TIME_AWARE
Make = Callable[..., NetworkWeights]


def stepped(network: Network, rows: np.ndarray, mask: np.ndarray) -> np.ndarray:
    network.reset()
    patches = rows.reshape(-1, PATCH, rows.shape[1])
    return np.concatenate(
        [network.step(patch, bool(flag)) for patch, flag in zip(patches, mask, strict=True)]
    )


@pytest.mark.parametrize('precision', list(Precision))
def test_stepping_equals_running_the_whole(
    weights: NetworkWeights, rows: np.ndarray, precision: Precision
) -> None:
    mask = np.random.default_rng(2).random(40) < 0.3
    network = Network(weights, build=at_precision(precision, ACTIVATION))
    np.testing.assert_allclose(
        network.run(rows, mask), stepped(network, rows, mask), rtol=1e-6, atol=1e-5
    )


def test_a_run_continues_in_steps(weights: NetworkWeights, rows: np.ndarray) -> None:
    mask = np.zeros(40, bool)
    network = Network(weights)
    whole = network.run(rows, mask)
    network.run(rows[:80], mask[:20])
    np.testing.assert_allclose(network.step(rows[80:84], False), whole[80:84], atol=1e-5)


def test_a_prediction_never_sees_its_own_row(weights: NetworkWeights, rows: np.ndarray) -> None:
    mask = np.zeros(40, bool)
    changed = rows.copy()
    changed[101] += 5.0
    before, after = (Network(weights).run(values, mask) for values in (rows, changed))
    assert (before[:102] == after[:102]).all()
    assert (before[102] != after[102]).any()


def test_the_first_patch_is_predicted_from_its_first_row(weights: NetworkWeights) -> None:
    level = np.full((PATCH, 5), 0.25, np.float32)
    skip = dataclasses.replace(weights, correction=None)
    zero = dataclasses.replace(
        skip.skip.linear,
        dense=np.zeros_like(skip.skip.linear.dense),
        bias=np.zeros(5, np.float16),
    )
    held = dataclasses.replace(
        skip, skip=dataclasses.replace(skip.skip, linear=zero, own=np.zeros_like(skip.skip.own))
    )
    network = Network(held, build=at_precision(Precision.FP32, ACTIVATION))
    np.testing.assert_array_equal(network.step(level, False), level)


def test_reset_forgets_the_past(weights: NetworkWeights, rows: np.ndarray) -> None:
    network = Network(weights)
    first = network.step(rows[:4], False)
    network.step(rows[4:8], False)
    network.reset()
    np.testing.assert_array_equal(network.step(rows[:4], False), first)


def test_never_and_always_override_the_mask(weights: NetworkWeights, rows: np.ndarray) -> None:
    mask = np.arange(40) % 2 == 0
    routed, never, always = (
        Network(weights, build=at_precision(precision, ACTIVATION))
        for precision in (Precision.INT4_ROUTED, Precision.INT4_NEVER, Precision.INT4_ALWAYS)
    )
    np.testing.assert_array_equal(never.run(rows, mask), routed.run(rows, np.zeros(40, bool)))
    np.testing.assert_array_equal(always.run(rows, mask), routed.run(rows, np.ones(40, bool)))
    assert not np.array_equal(never.run(rows, mask), always.run(rows, mask))


def test_clip_share_counts_saturated_levels_and_differences(weights: NetworkWeights) -> None:
    network = Network(weights)
    quiet = np.zeros((PATCH, 5), np.float32)
    assert network.clip_share(quiet) == 0.0
    network.step(quiet, False)
    spike = quiet.copy()
    spike[3, 1] = 1000.0  # one level and one difference of 2·20 activations
    assert network.clip_share(spike) == pytest.approx(2 / 40)
    smooth, steady = weights.skip.linear.smoothing, weights.skip.linear.steady
    # Five of the 32 places of the level's group hold inputs; its power is shared out over all.
    clip = 1.3 * 7.5 * float(steady[0]) * 2.0 ** (float(smooth[1]) / 8.0) * (32.0 / 5.0) ** 0.5
    for level, count in ((0.99 * clip, 0), (1.01 * clip, 1)):
        held = Network(weights)
        held.step(np.full((PATCH, 5), [0, level, 0, 0, 0], np.float32), False)
        still = np.full((PATCH, 5), [0, level, 0, 0, 0], np.float32)
        assert held.clip_share(still) == pytest.approx(count * PATCH / 40)


@pytest.mark.parametrize('order', [1, 2, 7])
@pytest.mark.parametrize('inputs', [1, 33])
def test_odd_shapes_run(make: Make, order: int, inputs: int) -> None:
    weights = make(order=order, inputs=inputs, blocks=1)
    rows = np.random.default_rng(0).normal(size=(40, inputs)).astype(np.float32)
    network, mask = Network(weights), np.arange(10) > 5
    assert network.clip_share(rows[:4]) >= 0.0
    np.testing.assert_allclose(network.run(rows, mask), stepped(network, rows, mask), atol=1e-5)


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_rows_that_are_not_finite_are_our_own_fault(weights: NetworkWeights, value: float) -> None:
    patch = np.zeros((PATCH, 5), np.float32)
    patch[1, 1] = value
    with pytest.raises(AssertionError, match='ingest'):
        Network(weights).step(patch, False)


@pytest.mark.parametrize('blocks', [0, 2])
def test_tensors_make_the_same_network(make: Make, rows: np.ndarray, blocks: int) -> None:
    weights = make(blocks=blocks)
    again = NetworkWeights.from_tensors(weights.to_tensors(), weights.config)
    mask = np.arange(40) % 3 == 0
    np.testing.assert_array_equal(Network(again).run(rows, mask), Network(weights).run(rows, mask))
    assert again.packed_bytes == weights.packed_bytes
    assert again.numbers == weights.numbers


def test_a_model_without_its_twin_runs_at_4_bits_alone(weights: NetworkWeights) -> None:
    tensors = {
        name: part for name, part in weights.to_tensors().items() if not name.endswith('.dense')
    }
    bare = NetworkWeights.from_tensors(tensors, weights.config)
    assert Network(bare).step(np.zeros((PATCH, 5), np.float32), True).shape == (PATCH, 5)
    with pytest.raises(ArtifactError, match='without its FP32 twin'):
        Network(bare, build=at_precision(Precision.FP32, ACTIVATION))


def test_every_tensor_of_another_shape_is_refused(weights: NetworkWeights) -> None:
    tensors = weights.to_tensors()
    for name, part in tensors.items():
        wrong = dict(tensors)
        wrong[name] = part[:-1]
        with pytest.raises(ArtifactError, match='expected'):
            NetworkWeights.from_tensors(wrong, weights.config)


def test_a_missing_tensor_and_a_foreign_one_are_refused(weights: NetworkWeights) -> None:
    tensors = weights.to_tensors()
    with pytest.raises(ArtifactError, match=r"unknown tensor 'skip\.linear\.codes'"):
        NetworkWeights.from_tensors(
            {**tensors, 'skip.linear.codes': tensors['skip.spread']}, weights.config
        )
    del tensors['correction.head.up']
    with pytest.raises(ArtifactError, match=r"'correction\.head\.up' is missing"):
        NetworkWeights.from_tensors(tensors, weights.config)


def test_settings_of_another_shape_are_refused(weights: NetworkWeights) -> None:
    with pytest.raises(ArtifactError, match='does not fit its settings'):
        NetworkWeights.from_tensors(weights.to_tensors(), Config())


def test_packed_bytes_are_worked_out_by_hand(make: Make) -> None:
    weights = make(order=2, blocks=0, inputs=5)
    k, n, rank, groups = 64, 5, 2, 2
    expected = k * n // 2 + groups * n + 2 * groups + 2 * rank * (k + n) + 2 * n
    expected += 2 * n + 1  # λ of levels and of differences; whether the layer is wide
    expected += 2 * n + 2 * 2 * n  # σ and the own weights
    assert weights.packed_bytes == expected
    assert weights.numbers == 2 * 5 * 5
