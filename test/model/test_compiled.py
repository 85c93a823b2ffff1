"""The compiled network against the one in NumPy, hop by hop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.errors import ArtifactError
from taolora_ros.model.base import Precision
from taolora_ros.model.compiled import CompiledNetwork, CompiledStreams
from taolora_ros.model.dual_path import DualPathWeights, at_precision
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.relation import RelatedNetwork, Relation, RelationWeights

ACTIVATION = Activation.TIME_AWARE
Make = Callable[..., NetworkWeights]


@pytest.fixture
def relation(weights: NetworkWeights) -> RelationWeights:
    """A relation of all inputs: the first 32 inputs of the skip's layer, for 4·5 and padding."""
    whole = weights.skip.linear
    part = DualPathWeights(
        smooth=whole.smoothing[:32],
        shares=np.arange(32),
        weight=type(whole.weight)(whole.weight.packed[:16], whole.weight.scale_codes[:1]),
        steady=whole.steady[:1],
        low_rank=type(whole.low_rank)(whole.low_rank.down[:32], whole.low_rank.up),
        bias=whole.bias,
        dense=whole.dense[:32],
    )
    return RelationWeights(part)


def in_numpy(
    weights: NetworkWeights, relation: RelationWeights, precision: Precision
) -> RelatedNetwork:
    build = at_precision(precision, ACTIVATION)
    return RelatedNetwork(Network(weights, build=build), Relation(relation, build=build))


@pytest.mark.parametrize('precision', list(Precision))
@pytest.mark.parametrize('has_correction', [True, False])
def test_every_hop_is_that_of_the_network(
    weights: NetworkWeights,
    relation: RelationWeights,
    rows: np.ndarray,
    precision: Precision,
    has_correction: bool,
) -> None:
    if not has_correction:
        weights = dataclasses.replace(weights, correction=None)
    expected = in_numpy(weights, relation, precision)
    compiled = CompiledNetwork(weights, relation, precision=precision)
    for hop, patch in enumerate(rows.reshape(-1, 4, 5)):
        if hop == 23:
            expected.reset()
            compiled.reset()
        assert compiled.clip_share(patch) == expected.clip_share(patch)
        _assert_close(compiled.step(patch, hop % 3 == 0), expected.step(patch, hop % 3 == 0))
        _assert_close(compiled.departure, expected.departure)


def test_three_streams_are_three_networks(
    weights: NetworkWeights, relation: RelationWeights
) -> None:
    rng = np.random.default_rng(7)
    single = [in_numpy(weights, relation, Precision.INT4_ROUTED) for _ in range(3)]
    streams = CompiledStreams(weights, relation, streams=3)
    for hop in range(40):
        patches = rng.normal(size=(3, 4, 5)).astype(np.float32)
        mask = rng.random(3) < 0.4
        if hop == 15:
            single[1].reset()
            streams.reset(1)
        if hop == 30:
            for network in single:
                network.reset()
            streams.reset()
        pairs = zip(single, patches, strict=True)
        shares = [network.clip_share(patch) for network, patch in pairs]
        assert streams.clip_shares(patches).tolist() == shares
        streams.step(patches, mask)
        for stream, network in enumerate(single):
            expected = network.step(patches[stream], bool(mask[stream]))
            _assert_close(streams.prediction[stream], expected)
            _assert_close(streams.departure[stream], network.departure)


@pytest.mark.parametrize('precision', list(Precision))
def test_a_recording_at_once_is_its_hops_to_the_bit(
    weights: NetworkWeights, relation: RelationWeights, rows: np.ndarray, precision: Precision
) -> None:
    compiled = CompiledNetwork(weights, relation, precision=precision)
    mask = np.arange(len(rows) // 4) % 3 == 0
    pairs = zip(rows.reshape(-1, 4, 5), mask.tolist(), strict=True)
    hops = np.concatenate([compiled.step(patch, flag) for patch, flag in pairs])
    np.testing.assert_array_equal(compiled.run(rows, mask), hops)
    np.testing.assert_array_equal(compiled.run(rows[:0], mask[:0]), hops[:0])


def test_a_long_recording_is_taken_in_pieces(
    weights: NetworkWeights,
    relation: RelationWeights,
    rows: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, mask = CompiledNetwork(weights, relation), np.arange(len(rows) // 4) % 3 == 0
    at_once = network.run(rows, mask)
    monkeypatch.setattr('taolora_ros.model.compiled._PIECE', 7)
    assert len(mask) % 7, 'the last piece is a shorter one'
    np.testing.assert_array_equal(network.run(rows, mask), at_once)


@pytest.mark.parametrize('order', [1, 2, 7])
@pytest.mark.parametrize('inputs', [1, 33])
def test_odd_shapes_are_those_of_the_network(make: Make, order: int, inputs: int) -> None:
    weights = make(order=order, inputs=inputs, blocks=1)
    rng = np.random.default_rng(0)
    network, compiled = Network(weights), CompiledNetwork(weights)
    for hop in range(12):
        patch = (3.0 * rng.normal(size=(4, inputs))).astype(np.float32)
        assert compiled.clip_share(patch) == network.clip_share(patch)
        _assert_close(compiled.step(patch, hop > 5), network.step(patch, hop > 5))
        assert compiled.departure.shape == (4, 0)


def test_a_prediction_outlives_the_next_step(weights: NetworkWeights, rows: np.ndarray) -> None:
    compiled = CompiledNetwork(weights)
    first = compiled.step(rows[:4], False)
    kept = first.copy()
    compiled.step(rows[4:8], True)
    np.testing.assert_array_equal(first, kept)


def test_rows_that_are_not_finite_are_our_own_fault(weights: NetworkWeights) -> None:
    patch = np.zeros((4, 5), np.float32)
    patch[1, 1] = np.nan
    with pytest.raises(AssertionError, match='ingest'):
        CompiledNetwork(weights).step(patch, False)


def test_fp32_needs_the_dense_weights(weights: NetworkWeights) -> None:
    bare = dataclasses.replace(
        weights, skip=dataclasses.replace(
            weights.skip, linear=dataclasses.replace(weights.skip.linear, dense=None)
        )
    )  # fmt: skip
    with pytest.raises(ArtifactError, match=r"'skip\.linear' was saved without its FP32 twin"):
        CompiledNetwork(bare, precision=Precision.FP32)


def _assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    scale = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)
