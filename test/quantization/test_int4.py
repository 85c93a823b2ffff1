"""INT4 codes: packing, scales, rounding with error feedback."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.quantization.int4 import LARGEST, fit_int4, pack, padded, unpack


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_low_nibble_holds_the_even_input() -> None:
    packed = pack(np.array([[1], [-2], [-7], [7]], np.int8))
    assert packed.tolist() == [[0xE1], [0x79]]


def test_unpacking_inverts_packing_for_every_pair_of_codes() -> None:
    codes = np.arange(-LARGEST, LARGEST + 1, dtype=np.int8)
    pairs = np.stack(np.meshgrid(codes, codes)).reshape(2, -1)
    np.testing.assert_array_equal(unpack(pack(pairs)), pairs)


@pytest.mark.parametrize(('count', 'expected'), [(1, 32), (32, 32), (33, 64), (0, 0)])
def test_padding_reaches_the_next_multiple(count: int, expected: int) -> None:
    assert padded(count, 32) == expected


def test_weights_on_the_grid_survive(rng: np.random.Generator) -> None:
    codes = rng.integers(-LARGEST, LARGEST + 1, (64, 5))
    codes[0], codes[32] = LARGEST, -LARGEST  # each group uses its whole range
    weight = codes * 0.25
    np.testing.assert_allclose(fit_int4(weight, group=32).dense(), weight)


def test_clipping_an_outlier_beats_stretching_the_scale(rng: np.random.Generator) -> None:
    weight = rng.normal(size=(256, 1))
    weight[0] = 6.0
    fitted = fit_int4(weight, group=256)
    assert fitted.scales[0, 0] < 6.0 / LARGEST
    step = 6.0 / LARGEST
    stretched = np.rint(weight / step) * step
    assert ((weight - fitted.dense()) ** 2).sum() < ((weight - stretched) ** 2).sum()


def test_zero_weights_round_to_zero() -> None:
    fitted = fit_int4(np.zeros((32, 3)), group=32)
    assert (fitted.dense() == 0.0).all()
    assert (fitted.scales > 0).all()


def test_error_feedback_lowers_the_output_error_of_correlated_inputs(
    rng: np.random.Generator,
) -> None:
    shared = rng.normal(size=(4000, 8))
    inputs = shared @ rng.normal(size=(8, 64)) + 0.1 * rng.normal(size=(4000, 64))
    weight = rng.normal(size=(64, 16))
    gram = inputs.T @ inputs / len(inputs) + 0.01 * np.eye(64)
    errors = [
        np.square(inputs @ (weight - fit_int4(weight, group=32, gram=given).dense())).sum()
        for given in (None, gram)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_group_is_read_off_the_shapes(rng: np.random.Generator) -> None:
    assert fit_int4(rng.normal(size=(96, 2)), group=16).group == 16
