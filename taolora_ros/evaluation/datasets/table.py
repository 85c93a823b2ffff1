"""CSV files whose columns are asked for by name."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from taolora_ros.errors import InputError, nearest
from taolora_ros.samples import Bools, Floats

_TRUE = ('1', '1.0', 'true')
_FALSE = ('0', '0.0', 'false', '')


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A CSV file as text, column by column."""

    path: Path
    columns: dict[str, list[str]]  # names without the blanks around them; of two alike the first

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values())))

    def text(self, name: str) -> list[str]:
        """A column as it stands.

        Raises:
            InputError: the file has no such column.
        """
        if name not in self.columns:
            hint = nearest(name, self.columns)
            raise InputError(f'{self.path}: no column {name!r}; {hint} Fetch the original again')
        return self.columns[name]

    def numbers(self, names: Sequence[str]) -> Floats:
        """Columns as numbers `[T, C]`; an empty cell is NaN.

        Raises:
            InputError: a column is absent or holds something else.
        """
        return np.stack([self._number(name) for name in names], axis=1)

    def flags(self, name: str) -> Bools:
        """A column of 0 and 1, or False and True, `[T]`; an empty cell is False.

        Raises:
            InputError: the column is absent or holds something else.
        """
        cells = [cell.lower() for cell in self.text(name)]
        for row, cell in enumerate(cells):
            if cell not in _TRUE + _FALSE:
                self._refuse(row, name, 'neither 0 nor 1')
        return np.array([cell in _TRUE for cell in cells], dtype=np.bool_)

    def seconds(self, name: str) -> Floats:
        """A column of ISO 8601 dates and times as seconds since the epoch, `[T]`.

        Raises:
            InputError: the column is absent or holds something else.
        """
        try:
            return np.array([seconds_since_epoch(cell) for cell in self.text(name)])
        except ValueError as error:
            raise InputError(f'{self.path}: {name}: {error}; fetch the original again') from None

    def _number(self, name: str) -> Floats:
        cells = self.text(name)
        try:
            return np.array([cell or 'nan' for cell in cells], dtype=np.float64)
        except ValueError:
            row = next(row for row, cell in enumerate(cells) if not _is_number(cell))
        return self._refuse(row, name, 'no number')

    def _refuse(self, row: int, name: str, what: str) -> Floats:
        raise InputError(
            f'{self.path}, row {row + 1}: {name} is {self.columns[name][row]!r}, which is {what}; '
            'fetch the original again'
        )


def read_table(path: Path, *, separator: str = ',') -> Table:
    """Read a CSV file with a line of column names.

    Raises:
        InputError: the file is absent, no text, without rows, or has a row of another length.
    """
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            lines = [line for line in csv.reader(file, delimiter=separator) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'{path}: {reason}; needed: a CSV file of the data set') from None
    if len(lines) < 2:
        raise InputError(f'{path}: no rows; fetch the original again')
    names, *rows = lines
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(
                f'{path}, row {number}: {len(row)} cells under {len(names)} column names; '
                f'is it separated by {separator!r} and whole?'
            )
    columns: dict[str, list[str]] = {}
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        columns.setdefault(name.strip(), [cell.strip() for cell in cells])
    return Table(path, columns)


def seconds_since_epoch(stamp: str) -> float:
    """An ISO 8601 date and time, in quotes or not, as UTC unless it says otherwise.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(stamp.strip('"').replace('Z', '+00:00'))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def hold(values: Floats) -> Floats:
    """Rows with each missing value replaced by the last one before it, or the first after it."""
    known = np.isfinite(values)
    rows = np.where(known, np.arange(len(values))[:, None], 0)
    last = np.maximum.accumulate(rows, axis=0)
    first = np.argmax(known, axis=0)
    filled: Floats = np.take_along_axis(values, np.maximum(last, first), axis=0)
    return filled


def _is_number(cell: str) -> bool:
    try:
        float(cell or 'nan')
    except ValueError:
        return False
    return True
