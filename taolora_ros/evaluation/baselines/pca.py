"""Principal components of windows: far out within their plane (T²), or off it (Q).

D numbers a window, A axes kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taolora_ros.evaluation.baselines.windows import WindowScorer, patches
from taolora_ros.samples import Floats

_MOST_PATCHES = 8192  # that the axes are learned from
_LEAST_VARIANCE = 1e-9  # of an axis or of all that is off the plane; a channel's is 1


class Pca(WindowScorer):
    """T² + Q, each over its mean on normal windows (Jackson and Mudholkar 1979).

    With A axes of variance λ, T² = Σ tₐ²/λₐ of the coordinates t, whose mean is A, and Q is the
    squared error of the reconstruction, whose mean is the sum of the other variances.
    """

    def __init__(self, *, window: int = 32, explained: float = 0.95) -> None:
        """Settings.

        Args:
            window: in rows.
            explained: share of the variance that the kept axes carry.
        """
        super().__init__(view=window)
        self._explained = explained

    def _learn(self, segments: Sequence[Floats]) -> None:
        normal = patches(segments, self._view, most=_MOST_PATCHES)
        self._mean = normal.mean(axis=0)
        centered = normal - self._mean
        variances, axes = np.linalg.eigh(centered.T @ centered / len(centered))
        variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
        carried = np.cumsum(variances)
        count = 1 + int(np.searchsorted(carried, self._explained * carried[-1]))
        self._axes = axes[:, :count]  # [D, A]
        self._variances = np.maximum(variances[:count], _LEAST_VARIANCE)  # [A]
        self._off = max(float(variances[count:].sum()), _LEAST_VARIANCE)

    def _judge(self, rows: Floats) -> Floats:
        centered = patches([rows], self._view) - self._mean
        coordinates = centered @ self._axes
        within = (np.square(coordinates) / self._variances).mean(axis=1)
        off = np.square(centered - coordinates @ self._axes.T).sum(axis=1) / self._off
        total: Floats = within + off
        return total
