from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taolora_ros.evaluation.baselines.windows import WindowScorer, patches, windows


class Sum(WindowScorer):
    """Sum of a window; remembers what it learned from."""

    def _learn(self, segments: Sequence[np.ndarray]) -> None:
        self.lengths = [len(rows) for rows in segments]

    def _judge(self, rows: np.ndarray) -> np.ndarray:
        total: np.ndarray = windows(rows, self._view).sum(axis=(1, 2))
        return total


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_no_patch_crosses_two_segments() -> None:
    found = patches([column(1, 2, 3), column(7, 8)], 2)
    assert found.tolist() == [[1, 2], [2, 3], [7, 8]]


def test_patches_hold_their_rows_channel_by_channel() -> None:
    assert patches([np.array([[1, 10], [2, 20]])], 2).tolist() == [[1, 2, 10, 20]]


def test_many_patches_are_thinned_evenly() -> None:
    rows = column(*range(10))
    assert patches([rows], 1, most=4).ravel().tolist() == [0, 3, 6, 9]
    assert len(patches([rows], 1, most=10)) == 10


def test_rows_before_the_first_full_window_get_the_lowest_normal_score() -> None:
    # Mean 0 and deviation 1; sums of three rows: 1, -1, 1, -1.
    scorer = Sum(view=3)
    scorer.fit([column(1, -1, 1, -1, 1, -1)])
    assert scorer.scores(column(9, 9, 9, 9)).tolist() == [-1, -1, 27, 27]
    assert scorer.scores(column(9, 9)).tolist() == [-1, -1]


def test_short_segments_are_not_learned_from() -> None:
    scorer = Sum(view=3)
    scorer.fit([column(1, 2), column(1, 2, 3, 4), column(1, 2, 3)])
    assert scorer.lengths == [4, 3]


def test_normal_rows_too_few_for_a_window_are_lengthened() -> None:
    scorer = Sum(view=4)
    scorer.fit([column(1), column(-1, 1, -1)])  # deviation 1
    assert scorer.lengths == [4]
    assert scorer.scores(column(0)).tolist() == [-2]  # of -1, -1, 1, -1
