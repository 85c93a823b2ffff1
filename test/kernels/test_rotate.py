"""Smoothing and rotation against Hadamard's matrix, written out."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.kernels.rotate.reference import rotate, units


def hadamard(size: int) -> np.ndarray:
    """Sylvester's construction."""
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.sqrt(size)


@pytest.mark.parametrize('group', [8, 32, 256])
def test_each_group_is_multiplied_by_hadamards_matrix(group: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 3 * group)).astype(np.float32)
    smooth = rng.integers(-20, 21, 3 * group).astype(np.int8)
    expected = (x / 2.0 ** (smooth / 8.0)).reshape(3, 3, group) @ hadamard(group)
    found = rotate(x, units(smooth, group), group)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, expected.reshape(3, -1), rtol=1e-5, atol=1e-6 * np.abs(expected).max()
    )


def test_four_inputs_by_hand() -> None:
    x = np.array([[1.0, 2.0, 4.0, 8.0]], np.float32)
    found = rotate(x, units(np.array([0, 8, 16, 24], np.int8), 4), 4)
    assert found.tolist() == [[2.0, 0.0, 0.0, 0.0]]  # four ones, over √4
    found = rotate(x, np.full(4, 0.5, np.float32), 4)
    assert found.tolist() == [[7.5, -2.5, -4.5, 1.5]]


@pytest.mark.parametrize('group', [8, 64])
def test_rotation_is_orthogonal_and_its_own_inverse(group: int) -> None:
    root = np.full(2 * group, 1.0 / np.sqrt(group))
    matrix = rotate(np.eye(2 * group), root, group)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(2 * group), atol=1e-12)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_a_group_never_sees_another() -> None:
    x = np.zeros((1, 64), np.float32)
    x[0, 40] = np.nan
    found = rotate(x, units(np.zeros(64, np.int8), 32), 32)
    assert (found[0, :32] == 0.0).all()
    assert np.isnan(found[0, 32:]).all()


def test_rows_are_the_same_to_the_bit_alone_and_in_a_batch() -> None:
    rng = np.random.default_rng(1)
    x = (1e3 * rng.normal(size=(7, 96))).astype(np.float32)
    inverse = units(rng.integers(-20, 21, 96).astype(np.int8), 32)
    whole = rotate(x, inverse, 32)
    for row in range(7):
        np.testing.assert_array_equal(rotate(x[row : row + 1], inverse, 32)[0], whole[row])


def test_the_input_stays_as_it_was() -> None:
    x = np.ones((2, 32), np.float32)
    rotate(x, np.ones(32, np.float32), 32)
    assert (x == 1.0).all()
