"""A ring of rows whose newest n are always one contiguous view."""

from __future__ import annotations

import numpy as np

from taolora_ros.samples import Floats


class RowRing:
    """The last `length` rows; pushing never allocates, viewing never copies.

    Rows are written twice, half a buffer apart, so that any run of the newest rows is contiguous.
    """

    def __init__(self, length: int, columns: int) -> None:
        self._rows = np.zeros((2 * length, columns))
        self._length = length
        self._next = 0
        self._count = 0

    def push(self, rows: Floats) -> None:
        """Append rows [P, columns]; the oldest fall out."""
        for row in rows:
            self._rows[self._next] = row
            self._rows[self._next + self._length] = row
            self._next = (self._next + 1) % self._length
            self._count = min(self._count + 1, self._length)

    def newest(self, count: int) -> Floats:
        """The newest rows, oldest first, [min(count, rows pushed), columns]; a view."""
        held = min(count, self._count)
        end = self._next + self._length
        return self._rows[end - held : end]

    def clear(self) -> None:
        """Forget all rows."""
        self._next = 0
        self._count = 0
