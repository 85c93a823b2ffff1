"""Statistics of columns against NumPy's, as Python runs them and as they are compiled."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.kernels.jit import jit
from taolora_ros.signals import columns


def _compiled(rows: np.ndarray, scratch: np.ndarray, out: np.ndarray) -> None:
    columns.mean(rows, out[0])
    columns.variance(rows, scratch, out[1])
    columns.power(rows, out[2])
    columns.step_power(rows, out[3])
    columns.bend_power(rows, out[4])


@pytest.mark.parametrize('run', [_compiled, jit(_compiled)], ids=['python', 'compiled'])
@pytest.mark.parametrize('shape', [(3, 1), (16, 21), (128, 7)], ids=str)
def test_statistics_are_those_of_the_columns(run: object, shape: tuple[int, int]) -> None:
    rows = 3.0 + np.random.default_rng(0).normal(size=shape)
    out = np.full((5, shape[1]), np.nan)
    assert callable(run)
    run(rows, np.full(shape[1], np.nan), out)
    steps = rows[1:] - rows[:-1]
    bends = steps[1:] - steps[:-1]
    expected = [rows.mean(0), rows.var(0), *((part**2).mean(0) for part in (rows, steps, bends))]
    np.testing.assert_allclose(out, expected, rtol=1e-13)


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_what_is_not_finite_shows_in_its_own_column_alone(value: float) -> None:
    rows = np.ones((8, 3))
    rows[5, 1] = value
    out = np.empty((5, 3))
    jit(_compiled)(rows, np.empty(3), out)
    assert not np.isfinite(out[:, 1]).any()
    assert np.isfinite(out[:, [0, 2]]).all()


def test_logarithms_are_taken_above_a_floor() -> None:
    out = np.array([0.0, 1.0])
    columns.log(out, 1e-4)
    np.testing.assert_allclose(out, np.log([1e-4, 1.0001]))
