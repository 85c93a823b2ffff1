"""Ring windows: the last rows of a stream as one contiguous view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taolora_ros.samples import Floats

# L rows, C channels


class RingWindow:
    """The last L rows; pushing costs one row, viewing costs nothing.

    Every row is written twice, L rows apart, so the last L rows always lie side by side.

    Args:
        length: L.
        width: C.
        dtype: of the buffer.
    """

    def __init__(self, length: int, width: int, dtype: npt.DTypeLike = np.float64) -> None:
        self.length = length
        self._buffer = np.zeros((2 * length, width), dtype=dtype)
        self._end = 0  # position of the next row, 0 to L - 1
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether L rows have been pushed since the start or the last clear."""
        return self._count >= self.length

    def __len__(self) -> int:
        return min(self._count, self.length)

    def push(self, row: npt.ArrayLike) -> None:
        """Append one row [C]; the oldest one leaves a full window."""
        self._buffer[self._end] = row
        self._buffer[self._end + self.length] = row
        self._end = (self._end + 1) % self.length
        self._count += 1

    def extend(self, rows: Floats) -> None:
        """Append rows [T, C]."""
        self._count += len(rows)
        rows = rows[-self.length :]
        ahead = self.length - self._end  # rows until the first place again
        for start, part in ((self._end, rows[:ahead]), (0, rows[ahead:])):
            self._buffer[start : start + len(part)] = part
            self._buffer[start + self.length : start + self.length + len(part)] = part
        self._end = (self._end + len(rows)) % self.length

    def view(self, last: int | None = None) -> Floats:
        """The `last` rows (all where None), oldest first, [len, C]; valid until the next push."""
        count = len(self) if last is None else min(last, len(self))
        end = self._end + self.length
        return self._buffer[end - count : end]

    def clear(self) -> None:
        """Forget all rows."""
        self._end = self._count = 0
