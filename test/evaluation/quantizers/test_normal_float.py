from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.normal_float import fit_normal_float, levels

# Appendix E of the QLoRA paper, rounded.
PUBLISHED = [
    *(-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0),
    *(0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0),
]


def test_levels_are_the_published_ones() -> None:
    np.testing.assert_allclose(levels(), PUBLISHED, atol=2e-6)


def test_weights_on_the_levels_come_back() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, size=(64, 5))
    codes[0] = 15  # each output, one block of 64 inputs, reaches 3
    weight = 3.0 * levels()[codes]
    np.testing.assert_allclose(fit_normal_float(weight).dense(), weight, rtol=1e-6, atol=1e-6)


def test_an_error_is_at_most_half_the_widest_gap() -> None:
    weight = np.random.default_rng(1).normal(size=(96, 7)) * np.logspace(-1, 1, 7)
    found = fit_normal_float(weight)
    blocks = np.pad(weight.T.ravel(), (0, -weight.size % 64)).reshape(-1, 64)
    sizes = np.abs(blocks).max(axis=1)
    # The gap below −0.696 is the widest, 0.304; an 8-bit magnitude is off by a half code at most.
    allowed = 0.153 * sizes + np.abs(sizes - sizes.mean()).max() / 127 / 2 * 1.2
    restored = np.pad(found.dense().T.ravel(), (0, -weight.size % 64)).reshape(-1, 64)
    assert (np.abs(restored - blocks) <= allowed[:, None]).all()


def test_bytes_are_worked_out_by_hand() -> None:
    # 96·7 = 672 weights: 336 bytes of codes, 11 blocks, one outer block and the mean.
    assert fit_normal_float(np.ones((96, 7))).bytes == 336 + 11 + 4 + 4


@pytest.mark.parametrize('value', [0.0, 1e-9])
def test_a_matrix_of_next_to_nothing_stays_finite(value: float) -> None:
    assert np.isfinite(fit_normal_float(np.full((64, 2), value)).dense()).all()
