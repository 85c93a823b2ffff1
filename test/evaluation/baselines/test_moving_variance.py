from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.baselines.moving_variance import MovingVariance


def test_score_is_the_variance_over_the_window_in_units_of_the_normal_one() -> None:
    # Normal variances 1 and 4. Windows of two rows: 0, 4 gives 4 and 0, 8 gives 16: 4/1 and 16/4.
    scorer = MovingVariance(window=2)
    scorer.fit([np.array([[1.0, 2.0], [-1.0, -2.0], [-1.0, -2.0], [1.0, 2.0]])])
    rows = np.array([[0.0, 0.0], [0.0, 0.0], [4.0, 8.0], [4.0, 0.0]])
    np.testing.assert_allclose(scorer.scores(rows)[1:], [0, (4 + 4) / 2, (0 + 4) / 2])
