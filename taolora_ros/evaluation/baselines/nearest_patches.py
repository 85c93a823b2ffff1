"""Nearest patches: a window unlike all that was normal is strange."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.neighbors import NearestNeighbors

from taolora_ros.evaluation.baselines.windows import WindowScorer, patches
from taolora_ros.samples import Floats

_MOST_PATCHES = 2048  # remembered; three times as many gain less than 0.005 of VUS-PR on RoSA


class NearestPatches(WindowScorer):
    """Mean Euclidean distance of a window to the nearest normal ones."""

    def __init__(self, *, window: int = 32, neighbors: int = 5) -> None:
        """Settings.

        Args:
            window: in rows.
            neighbors: how many are averaged, or all there are.
        """
        super().__init__(view=window)
        self._neighbors = neighbors

    def _learn(self, segments: Sequence[Floats]) -> None:
        normal = patches(segments, self._view, most=_MOST_PATCHES)
        count = min(self._neighbors, len(normal))
        self._index = NearestNeighbors(n_neighbors=count, algorithm='brute').fit(normal)

    def _judge(self, rows: Floats) -> Floats:
        distances, _ = self._index.kneighbors(patches([rows], self._view))
        mean: Floats = distances.mean(axis=1)
        return mean
