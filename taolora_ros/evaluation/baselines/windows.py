"""Scorers that look back over a window of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from taolora_ros.evaluation.baselines.scaling import fit_scale
from taolora_ros.samples import Floats


class WindowScorer(ABC):
    """Scores a standardized row by the full window that ends with it.

    A row before the first full window can't be judged: it gets the lowest score of the normal
    rows. The start of a recording would stand out otherwise, since a short window varies more
    than a full one (a hundredth or two of VUS-PR on RoSA re-based).
    """

    def __init__(self, *, view: int) -> None:
        """View: rows that a score looks at, the present one among them."""
        self._view = view

    def fit(self, recordings: Sequence[Floats]) -> None:
        """Standardize and learn; segments shorter than the view count for the scale alone."""
        self._scale = fit_scale(recordings)
        segments = [self._scale.standardized(rows) for rows in recordings]
        viewable = [rows for rows in segments if len(rows) >= self._view]
        if not viewable:
            longest = max(segments, key=len)
            viewable = [np.pad(longest, ((self._view - len(longest), 0), (0, 0)), mode='edge')]
        self._learn(viewable)
        self._quiet = min(float(self._judge(rows).min()) for rows in viewable)

    def scores(self, rows: Floats) -> Floats:
        """`[T]` the larger, the stranger."""
        scores = np.full(len(rows), self._quiet)
        if len(rows) >= self._view:
            scores[self._view - 1 :] = self._judge(self._scale.standardized(rows))
        return scores

    @abstractmethod
    def _learn(self, segments: Sequence[Floats]) -> None:
        """Learn from standardized segments `[T_i, I]`, each as long as the view at least."""

    @abstractmethod
    def _judge(self, rows: Floats) -> Floats:
        """`[T - view + 1]` scores of the full windows in standardized rows `[T, I]`."""


def windows(rows: Floats, length: int) -> Floats:
    """`[T - length + 1, I, length]` every full window of rows `[T, I]`, as a view."""
    return np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)


def patches(segments: Sequence[Floats], length: int, *, most: int | None = None) -> Floats:
    """`[M, I * length]` the full windows of all segments, one a row.

    Args:
        segments: `[T_i, I]`, each as long as the window at least.
        length: of a window, in rows.
        most: where there are more windows, about evenly spaced ones are taken.
    """
    count = sum(len(rows) - length + 1 for rows in segments)
    step = 1 if most is None else -(-count // most)
    kept = [windows(rows, length)[::step] for rows in segments]
    return np.concatenate([part.reshape(len(part), -1) for part in kept])
