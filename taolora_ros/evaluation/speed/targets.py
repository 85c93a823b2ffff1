"""What a bench must reach, beside what it measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """One bound on one figure."""

    figure: str  # key among the results
    words: str  # what it is, with its unit
    measured: float | None  # None where it could not be measured
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool | None:
        """None where nothing was measured."""
        if self.measured is None:
            return None
        below = self.at_most is None or self.measured <= self.at_most
        return below and (self.at_least is None or self.measured >= self.at_least)

    @property
    def bound(self) -> str:
        """The bound in words, e.g. 'at most 60'."""
        if self.at_most is not None:
            return f'at most {self.at_most:g}'
        return f'at least {self.at_least:g}'

    def to_mapping(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), 'is_met': self.is_met, 'bound': self.bound}
