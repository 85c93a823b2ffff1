"""The dual-path layer against its formula, written out in exact integers."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear.reference import (
    Operands,
    dual_path_linear,
    group_sums,
    prepare,
)
from taolora_ros.kernels.quantize.reference import Quantized, quantize
from taolora_ros.quantization.int4 import LARGEST, Int4Weight, pack, unpack
from taolora_ros.quantization.low_rank import LowRank

SHAPES = [(1, 32, 1, 0), (1, 256, 21, 5), (3, 64, 7, 1), (13, 160, 31, 8), (4, 32, 128, 32)]


def layer(rng: np.random.Generator, k: int, n: int, r: int) -> tuple[Int4Weight, LowRank]:
    codes = rng.integers(-LARGEST, LARGEST + 1, (k, n)).astype(np.int8)
    scale_codes = rng.integers(-53, -26, (k // 32, n)).astype(np.int8)  # 0.01 to 0.1
    low_rank = LowRank(
        down=rng.normal(size=(k, r)).astype(np.float16) / 8,
        up=rng.normal(size=(r, n)).astype(np.float16) / 8,
    )
    return Int4Weight(packed=pack(codes), scale_codes=scale_codes), low_rank


def case(
    seed: int, m: int, k: int, n: int, r: int
) -> tuple[np.ndarray, Quantized, Operands, np.ndarray, Int4Weight, LowRank]:
    rng = np.random.default_rng(seed)
    weight, low_rank = layer(rng, k, n, r)
    x = (rng.normal(size=(m, k)) * rng.choice([1.0, 30.0], (m, k), p=[0.95, 0.05])).astype('f4')
    flags = rng.random(m) < 0.5
    steady = np.full(k // 32, 0.4, np.float32)
    quantized = quantize(x, steady, flags, Activation.TIME_AWARE)
    bias = rng.normal(size=n).astype(np.float32)
    return x, quantized, prepare(weight, low_rank, bias), flags, weight, low_rank


@pytest.mark.parametrize('shape', SHAPES)
def test_group_sums_are_exact_integers(shape: tuple[int, int, int, int]) -> None:
    _, quantized, operands, _, weight, _ = case(0, *shape)
    m, k, n, _ = shape
    codes = quantized.codes.reshape(m, k // 32, 32).astype(np.int64)
    weights = unpack(weight.packed).reshape(k // 32, 32, n).astype(np.int64)
    expected = np.einsum('mgk,gkn->gmn', codes, weights)
    sums = group_sums(quantized, operands)
    assert (sums == expected).all()


@pytest.mark.parametrize('shape', SHAPES)
def test_layer_equals_its_formula(shape: tuple[int, int, int, int]) -> None:
    x, quantized, operands, flags, weight, low_rank = case(1, *shape)
    rounded = quantized.codes * np.repeat(quantized.scales.astype(float), 32, axis=1)
    expected = rounded @ weight.dense().astype(float) + operands.bias
    expected += flags[:, None] * (x.astype(float) @ low_rank.product())
    y = dual_path_linear(x, quantized, operands, flags)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_steady_rows_never_touch_the_low_rank_path() -> None:
    x, quantized, operands, flags, _, _ = case(2, 5, 64, 7, 4)
    poisoned = Operands(
        operands.codes,
        operands.scales,
        np.full_like(operands.down, np.nan),
        operands.up,
        operands.bias,
    )
    flags[:] = False
    assert np.isfinite(dual_path_linear(x, quantized, poisoned, flags)).all()


def test_each_row_is_the_same_alone_and_in_a_batch() -> None:
    x, quantized, operands, flags, _, _ = case(3, 9, 256, 21, 5)
    whole = dual_path_linear(x, quantized, operands, flags)
    for row in range(9):
        one = slice(row, row + 1)
        part = Quantized(quantized.codes[one], quantized.scales[one])
        alone = dual_path_linear(x[one], part, operands, flags[one])
        np.testing.assert_array_equal(alone[0], whole[row])
