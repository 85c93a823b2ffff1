from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from taolora_ros.ingest.windows import RingWindow, Window, extend, newest
from taolora_ros.kernels.jit import jit


@jit
def _compiled(window: Window, rows: np.ndarray, last: int) -> np.ndarray:
    extend(window, rows)
    return newest(window, last)


@given(length=st.integers(1, 9), count=st.integers(0, 40), last=st.integers(1, 12))
def test_a_window_holds_the_last_rows_in_order(length: int, count: int, last: int) -> None:
    rows = np.arange(count * 2, dtype=np.float64).reshape(count, 2)
    window = RingWindow(length, 2)
    for row in rows:
        window.push(row)
    assert np.array_equal(window.view(), rows[-length:] if count else rows)
    assert np.array_equal(window.view(last), rows[-min(length, last) :] if count else rows)
    assert len(window) == min(length, count)
    assert window.is_full == (count >= length)


@given(length=st.integers(1, 9), parts=st.lists(st.integers(0, 12), max_size=6))
def test_extending_equals_pushing(length: int, parts: list[int]) -> None:
    pushed, extended = RingWindow(length, 1), RingWindow(length, 1)
    rows = np.arange(sum(parts), dtype=np.float64)[:, None]
    for row in rows:
        pushed.push(row)
    for part in np.split(rows, np.cumsum(parts)):
        extended.extend(part)
    assert np.array_equal(pushed.view(), extended.view())
    assert pushed.is_full == extended.is_full


def test_the_view_is_contiguous_and_costs_no_copy() -> None:
    window = RingWindow(4, 3, dtype=np.float32)
    for value in range(6):
        window.push([value] * 3)
    view = window.view()
    assert view.flags.c_contiguous
    assert view.base is not None
    assert view.dtype == np.float32


def test_a_cleared_window_is_empty() -> None:
    window = RingWindow(2, 1)
    window.push([1.0])
    window.clear()
    assert len(window) == 0
    assert window.view().shape == (0, 1)


def test_compiled_code_extends_and_views_as_python_does() -> None:
    ours, theirs = RingWindow(5, 3), RingWindow(5, 3)
    rows = np.arange(66.0).reshape(22, 3)
    for first, last in ((0, 0), (0, 2), (2, 5), (5, 6), (6, 18), (18, 22)):
        for width in (1, 4, 5, 9):
            ours.extend(rows[first:last])
            seen = _compiled(theirs.parts, rows[first:last], width)
            np.testing.assert_array_equal(seen, ours.view(width))
            assert len(ours) == len(theirs)


def test_rows_with_fewer_columns_leave_the_others_at_zero() -> None:
    window = RingWindow(3, 2)
    window.extend(np.ones((4, 1)))
    assert window.view().tolist() == [[1.0, 0.0]] * 3
