"""Moving variance: a machine that shakes is strange."""

from __future__ import annotations

from collections.abc import Sequence

from taolora_ros.evaluation.baselines.windows import WindowScorer, windows
from taolora_ros.samples import Floats


class MovingVariance(WindowScorer):
    """Variance of the last rows, mean over the standardized channels."""

    def __init__(self, *, window: int = 32) -> None:
        """Window: in rows."""
        super().__init__(view=window)

    def _learn(self, segments: Sequence[Floats]) -> None:
        """The scale is all there is to learn."""

    def _judge(self, rows: Floats) -> Floats:
        variance: Floats = windows(rows, self._view).var(axis=2).mean(axis=1)
        return variance
