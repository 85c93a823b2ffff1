"""Figures as people read them; what is undefined is a dash."""

from __future__ import annotations

UNDEFINED = '–'


def count(value: int | None) -> str:
    """A whole number."""
    return UNDEFINED if value is None else f'{value:,}'


def ratio(value: float | None, *, digits: int = 3) -> str:
    """A number with a fixed count of decimals."""
    return UNDEFINED if value is None else f'{value:,.{digits}f}'


def percent(value: float | None) -> str:
    """A share of 0 to 1 in percent; small shares keep two decimals."""
    if value is None:
        return UNDEFINED
    return f'{100 * value:.2f} %' if value < 0.01 else f'{100 * value:.1f} %'


def seconds(value: float | None) -> str:
    """A time in milliseconds, seconds or minutes."""
    if value is None:
        return UNDEFINED
    if value < 1:
        return f'{1000 * value:.0f} ms'
    return f'{value:.1f} s' if value < 300 else f'{value / 60:.1f} min'
