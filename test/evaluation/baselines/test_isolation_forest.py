from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.baselines.isolation_forest import WindowForest


def test_two_rows_that_one_cut_sets_apart_score_one_half() -> None:
    # Every tree cuts once between them: depth 1, and c(2) = 1, so 2^(-1/1).
    scorer = WindowForest(seed=0, window=1)
    scorer.fit([np.array([[0.0], [1.0]])])
    np.testing.assert_allclose(scorer.scores(np.array([[-9.0], [9.0]])), [0.5, 0.5])


def test_rows_alike_score_as_an_average_one() -> None:
    # No cut sets alike rows apart: depth c(n) for all, 2^(-c/c).
    scorer = WindowForest(seed=0, window=1)
    scorer.fit([np.ones((20, 1))])
    np.testing.assert_allclose(scorer.scores(np.array([[1.0]])), [0.5])


def test_another_seed_cuts_elsewhere() -> None:
    rows = np.random.default_rng(2).normal(size=(100, 2))
    first, second = WindowForest(seed=0), WindowForest(seed=1)
    first.fit([rows])
    second.fit([rows])
    assert (first.scores(rows)[20:] != second.scores(rows)[20:]).any()
