"""The baselines by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from taolora_ros.evaluation.baselines.isolation_forest import WindowForest
from taolora_ros.evaluation.baselines.moving_variance import MovingVariance
from taolora_ros.evaluation.baselines.nearest_patches import NearestPatches
from taolora_ros.evaluation.baselines.pca import Pca
from taolora_ros.evaluation.baselines.random_scores import RandomScores
from taolora_ros.evaluation.baselines.ridge_autoregression import RidgeAutoregression
from taolora_ros.evaluation.baselines.scorer import Scorer
from taolora_ros.evaluation.baselines.windowed_mahalanobis import WindowedMahalanobis


class Factory(Protocol):
    """Makes an unfitted baseline; those without chance in them take no notice of the seed."""

    def __call__(self, *, seed: int) -> Scorer: ...


BASELINES: Mapping[str, Factory] = {
    'moving_variance': lambda *, seed: MovingVariance(),
    'ridge_autoregression': lambda *, seed: RidgeAutoregression(),
    'windowed_mahalanobis': lambda *, seed: WindowedMahalanobis(),
    'pca': lambda *, seed: Pca(),
    'isolation_forest': lambda *, seed: WindowForest(seed=seed),
    'nearest_patches': lambda *, seed: NearestPatches(),
    'random': lambda *, seed: RandomScores(seed=seed),
}
