"""Positive numbers in a byte."""

from __future__ import annotations

import numpy as np

from taolora_ros.quantization.octaves import decode, encode


def test_a_code_is_an_eighth_of_an_octave() -> None:
    found = decode(np.array([-8, 0, 4, 80], np.int8))
    np.testing.assert_allclose(found, [0.5, 1.0, np.sqrt(2.0), 1024.0], rtol=1e-12)


def test_every_code_survives_decoding_and_encoding() -> None:
    codes = np.arange(-127, 128).astype(np.int8)
    np.testing.assert_array_equal(encode(decode(codes)), codes)


def test_a_number_is_kept_within_half_a_step() -> None:
    values = np.geomspace(1e-4, 1e4, 1001)
    ratio = decode(encode(values)) / values
    half = 2.0 ** (1 / 16) + 1e-12
    assert (ratio < half).all()
    assert (ratio > 1 / half).all()


def test_what_is_out_of_range_takes_the_outermost_code() -> None:
    assert encode(np.array([0.0, 1e-30, 1e30])).tolist() == [-127, -127, 127]
