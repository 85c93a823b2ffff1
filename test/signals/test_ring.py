from __future__ import annotations

import numpy as np

from taolora_ros.signals.ring import RowRing


def test_newest_rows_are_those_of_a_plain_list() -> None:
    generator = np.random.default_rng(0)
    ring = RowRing(7, 3)
    pushed: list[np.ndarray] = []
    for _ in range(40):
        rows = generator.normal(size=(generator.integers(1, 5), 3))
        ring.push(rows)
        pushed.extend(rows)
        for count in (1, 3, 7):
            expected = np.array(pushed[-count:])
            np.testing.assert_array_equal(ring.newest(count), expected[-7:])


def test_asking_for_more_rows_than_were_pushed_returns_those_there_are() -> None:
    ring = RowRing(5, 1)
    ring.push(np.array([[1.0], [2.0]]))
    assert ring.newest(5).ravel().tolist() == [1.0, 2.0]


def test_a_cleared_ring_holds_nothing() -> None:
    ring = RowRing(3, 2)
    ring.push(np.ones((3, 2)))
    ring.clear()
    assert ring.newest(3).shape == (0, 2)
