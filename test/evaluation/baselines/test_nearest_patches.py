from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.baselines.nearest_patches import NearestPatches


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_score_is_the_mean_distance_to_the_nearest_patches() -> None:
    # Deviation 1, patches (1, -1) and (-1, 1). From (4, 3) they are 5 and √(25 + 4) away.
    scorer = NearestPatches(window=2, neighbors=1)
    scorer.fit([column(1, -1), column(-1, 1)])
    np.testing.assert_allclose(scorer.scores(column(4, 3))[1], 5)
    both = NearestPatches(window=2, neighbors=2)
    both.fit([column(1, -1), column(-1, 1)])
    np.testing.assert_allclose(both.scores(column(4, 3))[1], (5 + np.sqrt(29)) / 2)


def test_a_patch_seen_before_is_not_strange() -> None:
    rows = np.random.default_rng(6).normal(size=(80, 2))
    scorer = NearestPatches(window=8, neighbors=1)
    scorer.fit([rows])
    np.testing.assert_allclose(scorer.scores(rows), np.zeros(80), atol=1e-6)
