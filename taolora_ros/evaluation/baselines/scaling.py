"""Channels on a common scale, and recordings on a common level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Bools, Floats

_CONSTANT = 1e-9  # of a channel's largest value: less spread than that is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Mean and deviation of the normal rows, for the channels that move in them."""

    moves: Bools  # [C]
    mean: Floats  # [C]
    deviation: Floats  # [C] standard deviation; meaningless where a channel doesn't move

    def standardized(self, rows: Floats) -> Floats:
        """`[T, I]` rows of the channels that move; one column of zeros where none does."""
        if not self.moves.any():
            return np.zeros((len(rows), 1))
        moved: Floats = (rows - self.mean)[:, self.moves] / self.deviation[self.moves]
        return moved


def fit_scale(recordings: Sequence[Floats]) -> Scale:
    """The scale of normal recordings `[T_i, C]`.

    Raises:
        CalibrationError: there is no row.
    """
    if not any(len(rows) for rows in recordings):
        raise CalibrationError('a baseline got no normal row; give it a longer recording')
    rows = np.concatenate(recordings)
    deviation = rows.std(axis=0)
    moves = deviation > _CONSTANT * np.abs(rows).max(axis=0)
    return Scale(moves=moves, mean=rows.mean(axis=0), deviation=deviation)


def rebased(rows: Floats, rate_hz: float) -> Floats:
    """Rows `[T, C]` minus the mean of their first second, or of the first row if it is longer.

    Sessions differ more than a fault differs from its session; so where a recording starts normal,
    its start is the level to compare with.
    """
    first = max(round(rate_hz), 1)
    level: Floats = rows - rows[:first].mean(axis=0)
    return level
