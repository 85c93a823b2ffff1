"""NAB: temperatures of a machine and of an office (github.com/numenta/NAB)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from taolora_ros.errors import InputError, nearest
from taolora_ros.evaluation.datasets.series import DataSet, Series, breaks, grid_recording
from taolora_ros.evaluation.datasets.table import read_table, seconds_since_epoch
from taolora_ros.samples import Bools, Floats

TEMPERATURES = (
    'realKnownCause/machine_temperature_system_failure.csv',
    'realKnownCause/ambient_temperature_system_failure.csv',
)
TRAIN_SHARE = 0.15  # NAB's probation, whose normal rows are learned from


def read_nab(folder: Path, names: Sequence[str] = TEMPERATURES) -> DataSet:
    """Read series of NAB's folder, labeled by its combined windows.

    Args:
        folder: that holds `data` and `labels`.
        names: of the series, as the windows' file has them.

    Raises:
        InputError: a file is absent or can't be used, or a series has no windows.
    """
    windows = _windows(folder / 'labels' / 'combined_windows.json')
    if unknown := [name for name in names if name not in windows]:
        raise InputError(f'{unknown[0]}: no windows in NAB; {nearest(unknown[0], windows)}')
    return DataSet(
        'nab', ('value',), tuple(_series(folder / 'data' / name, windows[name]) for name in names)
    )


def _windows(path: Path) -> dict[str, list[list[str]]]:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(
            f'{path}: {getattr(error, "strerror", None) or error}; clone '
            'https://github.com/numenta/NAB and name its folder'
        ) from None
    if not isinstance(found, dict):
        raise InputError(f'{path}: no mapping of series to windows; fetch the original again')
    return found


def _series(path: Path, windows: list[list[str]]) -> Series:
    table = read_table(path)
    stamps_s = table.seconds('timestamp')
    values = table.numbers(['value'])
    labels = _within(stamps_s, windows)
    split = int(TRAIN_SHARE * len(values))
    normal = ~labels[:split]
    if not normal.any() or not np.isfinite(values).all():
        raise InputError(
            f'{path}: no normal row in its first {split}, or values are missing; choose another'
        )
    rate_hz = 1.0 / float(np.median(np.diff(stamps_s)))
    train = grid_recording(path.stem, values[:split][normal], rate_hz, starts=breaks(normal))
    test = grid_recording(path.stem, values[split:], rate_hz)
    return Series(path.stem, (train,), test, labels[split:], bool(normal[-1]), rate_hz)


def _within(stamps_s: Floats, windows: list[list[str]]) -> Bools:
    """`[T]` whether a row lies in one of the windows, ends included."""
    labels = np.zeros(len(stamps_s), np.bool_)
    for first, last in windows:
        labels |= (stamps_s >= seconds_since_epoch(first)) & (
            stamps_s <= seconds_since_epoch(last)
        )
    return labels
