"""Time-aware quantization: scales, codes, saturation."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.quantization.int4 import LARGEST

STEADY = np.array([0.5, 0.25], np.float32)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(7, 64)).astype(np.float32)


def mask(*flags: bool) -> np.ndarray:
    return np.array(flags, bool)


@pytest.mark.parametrize('activation', list(Activation))
def test_codes_stay_in_range_and_round_within_half_a_step(
    x: np.ndarray, activation: Activation
) -> None:
    quantized = quantize(x, STEADY, np.ones(7, bool), activation)
    largest = 98 if activation is Activation.TIME_AWARE else 7
    assert np.abs(quantized.codes).max() == largest
    steps = np.repeat(quantized.scales, 32, axis=1)
    error = np.abs(x - quantized.codes * steps)
    inside = np.abs(x) <= 1.00001 * largest * steps
    assert (error[inside] <= 0.5001 * steps[inside]).all()
    assert inside.all() or activation is Activation.STATIC


def test_a_transient_code_is_two_nibbles_worked_out_by_hand() -> None:
    x = np.zeros((1, 64), np.float32)
    x[0, :6] = 14.0, 5.0, -0.85, 2.9, 1.0, -13.4  # the first nibble is worth 2, the second ¹⁄₇
    quantized = quantize(x, STEADY, mask(True), Activation.TIME_AWARE)
    np.testing.assert_allclose(quantized.scales[0, 0], 1.0 / 7.0, rtol=1e-6)
    # 14 = 7·2;  5 = 2·2 + 7/7 or 3·2 − 7/7;  −0.85 ≈ −6/7;  2.9 ≈ 1·2 + 6/7;  1 = 7/7;
    # −13.4 ≈ −7·2 + 4/7
    assert quantized.codes[0, :6].tolist() == [98, 35, -6, 20, 7, -94]


def test_both_nibbles_are_plain_roundings_of_x_and_of_what_the_first_leaves(
    x: np.ndarray,
) -> None:
    transient = np.ones(7, bool)
    once = quantize(x, STEADY, transient, Activation.PER_GROUP)
    whole = quantize(x, STEADY, transient, Activation.TIME_AWARE)
    first = once.codes.reshape(7, 2, 32).astype(float)
    scale = once.scales[:, :, None].astype(float)
    left = x.reshape(7, 2, 32) - scale * first
    second = np.rint(left / (scale / 14))
    assert np.abs(second).max() <= LARGEST
    np.testing.assert_array_equal(whole.codes.reshape(7, 2, 32), 14 * first + second)


def test_ties_round_to_the_even_code() -> None:
    x = np.zeros((1, 64), np.float32)
    x[0, :4] = 0.25, 0.75, 1.25, -0.25  # half steps of 0.5
    codes = quantize(x, STEADY, mask(False), Activation.STATIC).codes
    assert codes[0, :4].tolist() == [0, 2, 2, 0]


def test_steady_rows_keep_the_calibrated_scale_and_transient_rows_follow_the_signal(
    x: np.ndarray,
) -> None:
    flags = np.arange(7) % 2 == 1
    quantized = quantize(x, STEADY, flags, Activation.TIME_AWARE)
    assert (quantized.scales[~flags] == STEADY).all()
    largest = np.abs(x.reshape(7, 2, 32)).max(axis=2)
    np.testing.assert_allclose(quantized.scales[flags], largest[flags] / 98, rtol=1e-6)


def test_per_token_takes_one_scale_for_the_row(x: np.ndarray) -> None:
    scales = quantize(x, STEADY, np.zeros(7, bool), Activation.PER_TOKEN).scales
    assert (scales[:, 0] == scales[:, 1]).all()


@pytest.mark.parametrize('activation', list(Activation))
def test_a_token_of_zeros_has_codes_of_zero(activation: Activation) -> None:
    quantized = quantize(np.zeros((2, 64), np.float32), STEADY, mask(True, False), activation)
    assert (quantized.codes == 0).all()
    assert np.isfinite(quantized.scales).all()


@pytest.mark.parametrize('activation', list(Activation))
def test_a_token_too_small_for_a_scale_has_codes_of_zero(activation: Activation) -> None:
    x = np.full((1, 64), np.finfo(np.float32).smallest_subnormal)
    assert (quantize(x, STEADY, mask(True), activation).codes == 0).all()


def test_a_clipped_spike_stays_at_the_largest_code() -> None:
    x = np.full((1, 64), -1e6, np.float32)
    quantized = quantize(x, STEADY, mask(False), Activation.TIME_AWARE)
    assert (quantized.codes == -LARGEST).all()


def test_rows_do_not_depend_on_the_rows_beside_them(x: np.ndarray) -> None:
    flags = np.arange(7) % 3 == 0
    whole = quantize(x, STEADY, flags, Activation.TIME_AWARE)
    for row in range(7):
        alone = quantize(x[row : row + 1], STEADY, flags[row : row + 1], Activation.TIME_AWARE)
        assert (alone.codes[0] == whole.codes[row]).all()
        assert (alone.scales[0] == whole.scales[row]).all()
