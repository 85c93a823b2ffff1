"""Ridge vector autoregression: a row that its predecessors don't foretell is strange.

M predicted rows, I channels, p order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taolora_ros.evaluation.baselines.distance import fit_distance
from taolora_ros.evaluation.baselines.windows import WindowScorer, patches, windows
from taolora_ros.samples import Floats


class RidgeAutoregression(WindowScorer):
    """Mean of log(1 + d²) over the last rows, d the Mahalanobis distance of the residual.

    Inputs X are the p rows before, Y the present one, both less their means; the coefficients are
    (XᵀX + λM·I)⁻¹XᵀY. The residuals of the normal rows give the covariance of d. Order 10 over 32
    rows, or 3 over 64, on the data sets at hand.
    """

    def __init__(
        self, *, order: int = 10, window: int = 32, ridge: float = 1e-3, shrinkage: float = 1e-3
    ) -> None:
        """Settings.

        Args:
            order: p, in rows.
            window: rows of residuals that a score averages; 1 doesn't smooth.
            ridge: λ, over the unit variance of the channels.
            shrinkage: of the residuals' covariance towards v·I, v its mean variance.
        """
        super().__init__(view=order + window)
        self._order = order
        self._window = window
        self._ridge = ridge
        self._shrinkage = shrinkage

    def _learn(self, segments: Sequence[Floats]) -> None:
        inputs = patches([rows[:-1] for rows in segments], self._order)
        targets = np.concatenate([rows[self._order :] for rows in segments])
        centered = inputs - inputs.mean(axis=0)
        gram = centered.T @ centered
        gram += self._ridge * len(centered) * np.eye(len(gram))
        self._weight = np.linalg.solve(gram, centered.T @ (targets - targets.mean(axis=0)))
        # The distance subtracts the residuals' mean, which is the intercept.
        self._distance = fit_distance(targets - inputs @ self._weight, shrinkage=self._shrinkage)

    def _judge(self, rows: Floats) -> Floats:
        residual = rows[self._order :] - patches([rows[:-1]], self._order) @ self._weight
        surprise = np.log1p(self._distance.squared(residual))[:, None]
        mean: Floats = windows(surprise, self._window).mean(axis=2)[:, 0]
        return mean
