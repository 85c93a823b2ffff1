"""One contract for every engine: integers bit for bit, floats within their rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.quantize import reference as quantize
from taolora_ros.kernels.rotate import reference as rotate

ROWS = (1, 7, 33)
INPUTS = (32, 96, 320)
OUTPUTS = (1, 21, 31, 256)
MASKS = ('steady', 'transient', 'mixed')
GROUPS = (8, 16, 32, 64, 256)


def tokens(rows: int, inputs: int) -> np.ndarray:
    """Rows with spikes; among several, one of zeros, one far beyond every clip, one tiny."""
    rng = np.random.default_rng(rows * inputs)
    x = rng.normal(size=(rows, inputs)) * rng.choice([1.0, 30.0], (rows, inputs), p=[0.95, 0.05])
    if rows > 3:
        x[1], x[2], x[3] = 0.0, 1e6 * np.sign(x[2]), 1e-42
    return x.astype(np.float32)


def mask(kind: str, rows: int) -> np.ndarray:
    return {
        'steady': np.zeros(rows, bool),
        'transient': np.ones(rows, bool),
        'mixed': np.arange(rows) % 3 == 0,
    }[kind]


def steady_scales(groups: int) -> np.ndarray:
    return np.random.default_rng(groups).uniform(0.1, 0.6, groups).astype(np.float32)


def operands(inputs: int, outputs: int, rank: int, group: int = 32) -> linear.Operands:
    rng = np.random.default_rng(inputs + outputs)
    groups = inputs // group
    return linear.Operands(
        codes=rng.integers(-7, 8, (groups, group, outputs)).astype(np.float32),
        scales=rng.uniform(0.01, 0.1, (groups, outputs)).astype(np.float32),
        down=(rng.normal(size=(inputs, rank)) / 8).astype(np.float16).astype(np.float32),
        up=(rng.normal(size=(rank, outputs)) / 8).astype(np.float16).astype(np.float32),
        bias=rng.normal(size=outputs).astype(np.float32),
    )


@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize('inputs', INPUTS)
@pytest.mark.parametrize('kind', MASKS)
@pytest.mark.parametrize('activation', list(Activation))
def test_codes_and_scales_are_the_references(
    engine: Any, rows: int, inputs: int, kind: str, activation: Activation
) -> None:
    case = (tokens(rows, inputs), steady_scales(inputs // 32), mask(kind, rows), activation)
    found, expected = engine.quantize(*case), quantize.quantize(*case)
    np.testing.assert_array_equal(found.codes, expected.codes)
    np.testing.assert_array_equal(found.scales, expected.scales)


@pytest.mark.parametrize('group', GROUPS)
def test_codes_of_every_group_size_are_the_references(engine: Any, group: int) -> None:
    case = (tokens(7, 512), steady_scales(512 // group), mask('mixed', 7), Activation.TIME_AWARE)
    found, expected = engine.quantize(*case), quantize.quantize(*case)
    np.testing.assert_array_equal(found.codes, expected.codes)
    np.testing.assert_array_equal(found.scales, expected.scales)


@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize('group', GROUPS)
def test_rotated_rows_are_the_references_to_the_bit(engine: Any, rows: int, group: int) -> None:
    x = tokens(rows, 768)
    units = rotate.units(np.random.default_rng(1).integers(-20, 21, 768).astype(np.int8), group)
    found = engine.rotate(x, units, group)
    np.testing.assert_array_equal(found, rotate.rotate(x, units, group))


@pytest.mark.parametrize('inputs', INPUTS)
@pytest.mark.parametrize('outputs', OUTPUTS)
def test_sums_of_codes_are_exact_integers(engine: Any, inputs: int, outputs: int) -> None:
    rng, layer = np.random.default_rng(0), operands(inputs, outputs, rank=0)
    plain = linear.Operands(
        codes=np.sign(layer.codes) * 7,  # the largest sums that there are
        scales=np.ones_like(layer.scales),
        down=layer.down,
        up=layer.up,
        bias=np.zeros_like(layer.bias),
    )
    codes = rng.choice([-98, 98], (7, inputs)).astype(np.int8)
    codes[0] = 98
    ones = np.ones((7, inputs // 32), np.float32)
    expected = codes.astype(np.int64) @ plain.codes.reshape(inputs, -1).astype(np.int64)
    y = engine.dual_path_linear(
        codes.astype(np.float32), quantize.Quantized(codes, ones), plain, mask('steady', 7)
    )
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize('inputs', INPUTS)
@pytest.mark.parametrize('outputs', OUTPUTS)
@pytest.mark.parametrize(('kind', 'rank'), [*((kind, 8) for kind in MASKS), ('mixed', 0)])
def test_outputs_are_the_references_within_the_rounding_of_float32(
    engine: Any, rows: int, inputs: int, outputs: int, kind: str, rank: int
) -> None:
    x, flags, layer = tokens(rows, inputs), mask(kind, rows), operands(inputs, outputs, rank)
    steady = steady_scales(inputs // 32)
    quantized = quantize.quantize(x, steady, flags, Activation.TIME_AWARE)
    _check(engine, x, quantized, layer, flags)


@pytest.mark.parametrize('group', GROUPS)
@pytest.mark.parametrize('rank', [1, 12])
def test_outputs_of_every_group_size_and_odd_ranks(engine: Any, group: int, rank: int) -> None:
    x, flags, layer = tokens(7, 512), mask('mixed', 7), operands(512, 31, rank, group)
    quantized = quantize.quantize(x, steady_scales(512 // group), flags, Activation.TIME_AWARE)
    _check(engine, x, quantized, layer, flags)


def _check(
    engine: Any,
    x: np.ndarray,
    quantized: quantize.Quantized,
    layer: linear.Operands,
    flags: np.ndarray,
) -> None:
    """Outputs are sums of terms: their errors count beside the sum of the terms' magnitudes."""
    found = engine.dual_path_linear(x, quantized, layer, flags)
    rounded = np.abs(quantized.codes.reshape(*quantized.scales.shape, -1)) * (
        quantized.scales[:, :, None].astype(float)
    )
    weights = np.abs(layer.codes) * layer.scales[:, None]
    terms = np.abs(layer.bias) + rounded.reshape(len(x), -1) @ weights.reshape(x.shape[1], -1)
    terms += flags[:, None] * (np.abs(x).astype(float) @ np.abs(layer.down) @ np.abs(layer.up))
    expected = linear.dual_path_linear(x, quantized, layer, flags)
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= 1e-5 * terms).all()


def test_steady_rows_never_read_the_low_rank_path(engine: Any) -> None:
    x, layer = tokens(7, 96), operands(96, 21, 8)
    poisoned = linear.Operands(
        layer.codes, layer.scales, np.full_like(layer.down, np.nan), layer.up, layer.bias
    )
    flags = mask('mixed', 7)
    quantized = quantize.quantize(x, steady_scales(3), flags, Activation.TIME_AWARE)
    found = engine.dual_path_linear(x, quantized, poisoned, flags)
    assert np.isfinite(found[~flags]).all()
    assert np.isnan(found[flags]).all()
