"""Dense layers and who builds them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.errors import ArtifactError
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import DualPathWeights, Layer, at_precision
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.tensors import TensorReader
from taolora_ros.quantization.low_rank import no_low_rank
from taolora_ros.training.layer_fit import rotated_weight

STEADY = np.zeros(7, bool)


def random_rows(layer: DualPathWeights) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(7, layer.inputs)).astype(np.float32)


@pytest.fixture
def layer(weights: NetworkWeights) -> DualPathWeights:
    return weights.skip.linear


def test_the_fp32_twin_is_a_product_and_a_bias(layer: DualPathWeights) -> None:
    assert layer.dense is not None
    run = at_precision(Precision.FP32, Activation.TIME_AWARE)('skip.linear', layer)
    x = random_rows(layer)
    expected = x.astype(float) @ layer.dense + layer.bias.astype(float)
    np.testing.assert_allclose(run(x, STEADY), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(run(x, STEADY), run(x, ~STEADY))


def test_a_layer_without_its_twin_is_named(layer: DualPathWeights) -> None:
    bare = dataclasses.replace(layer, dense=None)
    with pytest.raises(ArtifactError, match=r"'skip\.linear' was saved without its FP32 twin"):
        at_precision(Precision.FP32, Activation.TIME_AWARE)('skip.linear', bare)


def test_the_precision_decides_which_rows_take_the_low_rank_path(layer: DualPathWeights) -> None:
    x = random_rows(layer)
    mask = np.arange(7) < 3
    routed, never, always = (
        at_precision(precision, Activation.STATIC)('skip.linear', layer)
        for precision in (Precision.INT4_ROUTED, Precision.INT4_NEVER, Precision.INT4_ALWAYS)
    )
    repair = layer.rotated(x).astype(float) @ layer.low_rank.product()
    base = never(x, mask)
    np.testing.assert_allclose(always(x, mask) - base, repair, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(routed(x, mask) - base, mask[:, None] * repair, atol=1e-5)


def test_smoothing_and_rotation_change_nothing_but_the_rounding(layer: DualPathWeights) -> None:
    assert layer.dense is not None
    x = random_rows(layer)
    inside = rotated_weight(layer.dense.astype(float), layer.smoothing, 32)
    np.testing.assert_allclose(
        layer.rotated(x) @ inside, x @ layer.dense.astype(float), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize('size', [1.0, 30.0])
def test_transient_rows_leave_the_error_of_the_weights_alone(
    layer: DualPathWeights, size: float
) -> None:
    bare = dataclasses.replace(layer, low_rank=no_low_rank(layer.inputs, layer.outputs))
    run = at_precision(Precision.INT4_ROUTED, Activation.TIME_AWARE)('skip.linear', bare)
    x = size * random_rows(layer)
    expected = layer.rotated(x) @ layer.weight.dense().astype(float) + layer.bias
    error = np.abs(run(x, ~STEADY) - expected).max() / np.abs(expected).max()
    assert error < 0.01  # half a code of 98, where one nibble leaves half a code of 7
    assert np.abs(run(x, STEADY) - expected).max() / np.abs(expected).max() > 0.03


def test_a_wide_layer_rounds_steady_rows_as_finely_and_keeps_the_gate(
    layer: DualPathWeights,
) -> None:
    bare = dataclasses.replace(layer, low_rank=no_low_rank(layer.inputs, layer.outputs))
    wide = dataclasses.replace(layer, is_wide=True)
    narrow, run = (
        at_precision(Precision.INT4_ROUTED, Activation.TIME_AWARE)('skip.linear', weights)
        for weights in (bare, wide)
    )
    x = random_rows(layer)
    np.testing.assert_array_equal(run(x, STEADY), narrow(x, ~STEADY))
    repair = layer.rotated(x).astype(float) @ layer.low_rank.product()
    np.testing.assert_allclose(run(x, ~STEADY) - run(x, STEADY), repair, rtol=1e-4, atol=1e-5)


def test_a_bias_of_zeros_is_not_stored_and_comes_back(layer: DualPathWeights) -> None:
    bare = dataclasses.replace(layer, bias=np.zeros_like(layer.bias))
    tensors = bare.to_tensors()
    assert 'bias' not in tensors
    assert layer.packed_bytes - bare.packed_bytes == 2 * layer.outputs
    again = DualPathWeights.from_tensors(
        TensorReader(tensors), shares=layer.shares, outputs=layer.outputs, group=32
    )
    np.testing.assert_array_equal(again.bias, bare.bias)


def test_a_network_takes_any_arithmetic_by_the_names_of_its_layers(
    weights: NetworkWeights, rows: np.ndarray
) -> None:
    seen: dict[str, DualPathWeights] = {}

    def nothing(name: str, layer: DualPathWeights) -> Layer:
        seen[name] = layer
        return lambda x, is_transient: np.zeros((len(x), layer.outputs), np.float32)

    network = Network(weights, build=nothing)
    assert seen == weights.layers()
    # What stays is the random walk and each channel's own past, as the skip documents them.
    prediction = network.run(rows, np.zeros(40, bool))
    own, spread = weights.skip.own.astype(float), weights.skip.spread.astype(float)
    differences = np.diff(rows[90:100].astype(float), axis=0)[::-1] / spread
    expected = rows[99] + spread * (own[0] * rows[99] + (own[1:] * differences).sum(axis=0))
    np.testing.assert_allclose(prediction[100], expected, rtol=1e-5, atol=1e-4)
