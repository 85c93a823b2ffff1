"""A bench's record for people: its figures, its tables, and whether its targets were met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from taolora_ros.evaluation.phrases import UNDEFINED

VERDICTS = {True: 'met', False: 'missed', None: 'not measured'}


def tables_of(record: Mapping[str, Any]) -> Iterator[list[list[str]]]:
    """Each table as rows of cells, the first row its head: figures, tables, targets."""
    results: Mapping[str, Any] = record['results'] or {}
    figures = {name: value for name, value in results.items() if not isinstance(value, list)}
    if figures:
        yield [['figure', 'measured'], *([name, cell(value)] for name, value in figures.items())]
    for name, value in results.items():
        if isinstance(value, list) and value:
            yield _rows(name, value)
    if record['targets']:
        yield [['target', 'bound', 'measured', ''], *map(_target, record['targets'])]


def print_record(console: Console, record: Mapping[str, Any]) -> None:
    """Print all tables, or why there are none."""
    if record['results'] is None:
        console.print(record['absence'], soft_wrap=True, markup=False, highlight=False)
        return
    for head, *rows in tables_of(record):
        table = RichTable()
        for place, title in enumerate(head):
            table.add_column(title, justify='left' if place == 0 else 'right')
        for row in rows:
            table.add_row(*row)
        console.print(table)


def cell(value: Any) -> str:
    """A value in a cell: numbers to four digits that count, whole ones in full."""
    if value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int):
        return f'{value:,}'
    if isinstance(value, float):
        return f'{value:,.0f}' if abs(value) >= 1e4 else f'{value:.4g}'
    return str(value)


def _rows(name: str, table: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    keys = list(table[0])
    head = [f'{name}: {keys[0]}', *keys[1:]]
    return [head, *([cell(row[key]) for key in keys] for row in table)]


def _target(target: Mapping[str, Any]) -> list[str]:
    measured = cell(target['measured'])
    return [target['words'], target['bound'], measured, VERDICTS[target['is_met']]]
