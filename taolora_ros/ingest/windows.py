"""Ring windows: the last rows of a stream as one contiguous view.

Every row is written twice, L rows apart, so the last L rows always lie side by side. L rows, W
columns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from taolora_ros.kernels.jit import compact, formula, writes
from taolora_ros.samples import Floats, Ints

Window = tuple[Floats, Ints]  # as compiled code takes it, see `RingWindow.parts`
WINDOW = types.Tuple((writes(2), writes(1, types.int64)))


class RingWindow:
    """The last L rows; pushing costs one row, viewing costs nothing.

    Compiled code takes its `parts` and calls `extend` and `newest` on them.

    Args:
        length: L.
        width: W.
        dtype: of the buffer.
    """

    def __init__(self, length: int, width: int, dtype: npt.DTypeLike = np.float64) -> None:
        self.length = length
        self._buffer = np.zeros((2 * length, width), dtype=dtype)
        self._place = np.zeros(2, np.int64)

    @property
    def parts(self) -> Window:
        """Buffer [2L, W]; and place [2], where the next row goes and how many were pushed."""
        return self._buffer, self._place

    @property
    def is_full(self) -> bool:
        """Whether L rows have been pushed since the start or the last clear."""
        return bool(self._place[1] >= self.length)

    def __len__(self) -> int:
        return min(int(self._place[1]), self.length)

    def push(self, row: npt.ArrayLike) -> None:
        """Append one row [W]; the oldest one leaves a full window."""
        self.extend(np.asarray(row)[None])

    def extend(self, rows: Floats) -> None:
        """Append rows [T, W]."""
        extend(self.parts, rows)

    def view(self, last: int | None = None) -> Floats:
        """The `last` rows (all where None), oldest first, [len, W]; valid until the next push."""
        return newest(self.parts, self.length if last is None else last)

    def clear(self) -> None:
        """Forget all rows."""
        self._place[:] = 0


@formula
def extend(window: Window, rows: Floats) -> None:
    """Append rows [T, W], or as many of their first columns as there are, to a window."""
    compact()
    buffer, place = window
    length = len(buffer) // 2
    for n in range(len(rows)):
        for w in range(rows.shape[1]):
            buffer[place[0], w] = buffer[place[0] + length, w] = rows[n, w]
        place[0] = (place[0] + 1) % length
    place[1] += len(rows)


@formula
def newest(window: Window, last: int) -> Floats:
    """The `last` rows of a window, or as many as there are, oldest first, [len, W]."""
    buffer, place = window
    length = len(buffer) // 2
    end = place[0] + length
    return buffer[end - min(last, length, place[1]) : end]
