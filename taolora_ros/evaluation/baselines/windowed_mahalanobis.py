"""Windowed Mahalanobis distance: level, spread and roughness of the last rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taolora_ros.evaluation.baselines.distance import fit_distance
from taolora_ros.evaluation.baselines.windows import WindowScorer, windows
from taolora_ros.samples import Floats


class WindowedMahalanobis(WindowScorer):
    """Squared distance of (mean, log variance, log difference variance) of every channel."""

    def __init__(self, *, window: int = 32, floor: float = 1e-2, shrinkage: float = 1e-2) -> None:
        """Settings.

        Args:
            window: in rows, 2 at least.
            floor: added to variances before the logarithm, over the unit variance of a channel:
                what is quieter than that is quiet.
            shrinkage: of the features' covariance towards v·I, v its mean variance.
        """
        super().__init__(view=window)
        self._floor = floor
        self._shrinkage = shrinkage

    def _learn(self, segments: Sequence[Floats]) -> None:
        features = np.concatenate([self._features(rows) for rows in segments])
        self._distance = fit_distance(features, shrinkage=self._shrinkage)

    def _judge(self, rows: Floats) -> Floats:
        return self._distance.squared(self._features(rows))

    def _features(self, rows: Floats) -> Floats:
        """`[T - window + 1, 3 * I]`."""
        seen = windows(rows, self._view)
        spread = np.log(seen.var(axis=2) + self._floor)
        roughness = np.log(np.diff(seen, axis=2).var(axis=2) + self._floor)
        return np.concatenate((seen.mean(axis=2), spread, roughness), axis=1)
