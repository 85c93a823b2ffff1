"""What a baseline is: fitted to normal recordings, then a score a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from taolora_ros.samples import Floats


class Scorer(Protocol):
    """Says how strange each row of a recording is."""

    def fit(self, recordings: Sequence[Floats]) -> None:
        """Learn what is normal.

        Args:
            recordings: normal segments without gaps, `[T_i, C]`, finite; no window crosses two.

        Raises:
            CalibrationError: there is no row.
        """
        ...

    def scores(self, rows: Floats) -> Floats:
        """`[T]` the larger, the stranger; finite, and row t's depends on rows up to t alone.

        Args:
            rows: one recording without gaps, `[T, C]`, finite.
        """
        ...
