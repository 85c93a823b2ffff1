from __future__ import annotations

import pytest

from taolora_ros.evaluation.phrases import count, percent, ratio, seconds


@pytest.mark.parametrize(
    ('value', 'text'), [(None, '–'), (0.04, '40 ms'), (2.0, '2.0 s'), (600.0, '10.0 min')]
)
def test_times_are_told_in_the_unit_that_fits(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ('value', 'text'), [(None, '–'), (0.001234, '0.12 %'), (0.5, '50.0 %'), (0.0, '0.00 %')]
)
def test_small_shares_keep_two_decimals(value: float | None, text: str) -> None:
    assert percent(value) == text


def test_numbers_group_thousands_and_dash_what_is_undefined() -> None:
    assert (count(12345), count(None)) == ('12,345', '–')
    assert (ratio(0.75), ratio(1234.56, digits=1), ratio(None)) == ('0.750', '1,234.6', '–')
