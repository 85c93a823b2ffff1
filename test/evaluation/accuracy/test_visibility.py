from __future__ import annotations

import pytest

from taolora_ros.evaluation.accuracy.visibility import Graded, is_visible, visibility_limits


def jams(*found: int) -> list[Graded]:
    """Events of strengths 0.01, 0.02, … in this order of being found."""
    return [Graded('jam', 0.01 * (i + 1), bool(hit)) for i, hit in enumerate(found)]


@pytest.mark.parametrize(
    ('events', 'limit'),
    [
        (jams(0, 0, 1, 1), 0.03),
        (jams(1, 1, 1), 0.01),
        (jams(1, 0, 1, 1), 0.03),  # 3 of 4 found from 0.01 on
        (jams(0, *[1] * 19), 0.01),  # 19 of 20 are 95 %
        (jams(1, 1, 0), None),  # not even the strongest
    ],
)
def test_from_the_limit_on_95_percent_are_found(events: list[Graded], limit: float | None) -> None:
    assert visibility_limits(events)['jam'] == pytest.approx(limit)


def test_each_kind_has_a_limit_of_its_own() -> None:
    events = [Graded('slip', 0.5, True), Graded('slip', 0.1, False), Graded('drift', 0.9, False)]
    limits = visibility_limits(events)
    assert limits == {'drift': None, 'slip': 0.5}
    assert [is_visible(event, limits) for event in events] == [True, False, False]
