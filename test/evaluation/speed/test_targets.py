from __future__ import annotations

import pytest

from taolora_ros.evaluation.speed.targets import Target


@pytest.mark.parametrize(
    ('measured', 'bounds', 'is_met'),
    [
        (60.0, {'at_most': 60.0}, True),
        (60.1, {'at_most': 60.0}, False),
        (12.0, {'at_least': 12.0}, True),
        (11.9, {'at_least': 12.0}, False),
        (None, {'at_most': 60.0}, None),
    ],
)
def test_a_bound_holds_what_lies_on_it(
    measured: float | None, bounds: dict[str, float], is_met: bool | None
) -> None:
    assert Target('x', 'words', measured, **bounds).is_met is is_met


def test_a_target_says_its_bound_in_words() -> None:
    assert Target('x', 'words', 1.0, at_most=0.4).bound == 'at most 0.4'
    assert Target('x', 'words', 1.0, at_least=12.0).to_mapping() == {
        'figure': 'x',
        'words': 'words',
        'measured': 1.0,
        'at_most': None,
        'at_least': 12.0,
        'is_met': False,
        'bound': 'at least 12',
    }
