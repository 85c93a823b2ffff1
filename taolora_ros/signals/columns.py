"""Statistics of the columns of a window, as compiled code works them out.

Row by row, so that a row's columns are taken in one go. n rows, I columns; each writes into `out`
[I], and is NaN for no rows.
"""

from __future__ import annotations

import numpy as np

from taolora_ros.kernels.jit import compact, formula
from taolora_ros.samples import Floats


@formula
def mean(rows: Floats, out: Floats) -> None:
    """Mean of rows [n, I]."""
    compact()
    _clear(out)
    for n in range(len(rows)):
        for i in range(len(out)):
            out[i] += rows[n, i]
    _divide(out, len(rows))


@formula
def variance(rows: Floats, center: Floats, out: Floats) -> None:
    """Mean square of rows [n, I] about their mean, which is left in `center` [I]."""
    compact()
    mean(rows, center)
    _clear(out)
    for n in range(len(rows)):
        for i in range(len(out)):
            out[i] += (rows[n, i] - center[i]) ** 2
    _divide(out, len(rows))


@formula
def power(rows: Floats, out: Floats) -> None:
    """Mean square of rows [n, I]."""
    compact()
    _clear(out)
    for n in range(len(rows)):
        for i in range(len(out)):
            out[i] += rows[n, i] ** 2
    _divide(out, len(rows))


@formula
def step_power(rows: Floats, out: Floats) -> None:
    """Mean square of the differences between neighbors of rows [n, I]."""
    compact()
    _clear(out)
    for n in range(1, len(rows)):
        for i in range(len(out)):
            out[i] += (rows[n, i] - rows[n - 1, i]) ** 2
    _divide(out, len(rows) - 1)


@formula
def bend_power(rows: Floats, out: Floats) -> None:
    """Mean square of the second differences of rows [n, I]."""
    compact()
    _clear(out)
    for n in range(2, len(rows)):
        for i in range(len(out)):
            bend = (rows[n, i] - rows[n - 1, i]) - (rows[n - 1, i] - rows[n - 2, i])
            out[i] += bend**2
    _divide(out, len(rows) - 2)


@formula
def log(out: Floats, floor: float) -> None:
    """Logarithm of what `out` holds, after `floor` is added."""
    compact()
    for i in range(len(out)):
        out[i] = np.log(out[i] + floor)


@formula
def _clear(out: Floats) -> None:
    compact()
    for i in range(len(out)):
        out[i] = 0.0


@formula
def _divide(out: Floats, count: int) -> None:
    compact()
    for i in range(len(out)):
        out[i] /= count
