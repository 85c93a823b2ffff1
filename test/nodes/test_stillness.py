from __future__ import annotations

import numpy as np

from taolora_ros.nodes.stillness import Stillness
from taolora_ros.samples import NS_PER_S, Gap, Row


def _row(second: int, *values: float, fresh: tuple[bool, ...] = (True, True)) -> Row:
    return Row(second * NS_PER_S, np.array(values), np.zeros(2), np.array(fresh))


def test_a_channel_is_still_from_its_last_change_to_its_last_sample() -> None:
    stillness = Stillness(2)
    stillness.push([_row(10, 1.0, 5.0), _row(11, 2.0, 5.0), _row(12, 3.0, 5.0)])
    assert stillness.still_s.tolist() == [0.0, 2.0]


def test_a_silent_channel_is_not_still() -> None:
    stillness = Stillness(2)
    stillness.push([_row(10, 1.0, 5.0)])
    stillness.push([_row(second, 1.0, 5.0, fresh=(False, True)) for second in range(11, 15)])
    assert stillness.still_s.tolist() == [0.0, 4.0]


def test_a_gap_begins_anew() -> None:
    stillness = Stillness(2)
    stillness.push([_row(10, 1.0, 5.0), Gap(11 * NS_PER_S, 90 * NS_PER_S), _row(90, 1.0, 5.0)])
    assert stillness.still_s.tolist() == [0.0, 0.0]


def test_a_peak_within_a_cell_is_a_change() -> None:
    stillness = Stillness(2)
    stillness.push([_row(10, 1.0, 5.0)])
    stillness.push(
        [Row(11 * NS_PER_S, np.array([1.0, 5.0]), np.array([0.5, 0.0]), np.ones(2, bool))]
    )
    assert stillness.still_s.tolist() == [0.0, 1.0]
