"""RoSA: a motor-driven shaft with an IMU, pushed sideways by a robot (Yeung et al. 2022).

github.com/mrl-anomaly/RoSA-data-archive-for-fault-anomaly-detection
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.series import DataSet, Series, close_gaps, grid_recording
from taolora_ros.evaluation.datasets.table import read_table
from taolora_ros.samples import Bools, Recording

CHANNELS = (
    'Shaft Control Effort',
    'Actual Speed',
    'Desired Speed',
    *(f'Orient. {axis}' for axis in 'xyz'),
    *(f'AngVel {axis}' for axis in 'xyz'),
    *(f'LinAcc. {axis}' for axis in 'xyz'),
    *(f'Mag. {axis}' for axis in 'xyz'),
    *(f'Quat. {axis}' for axis in 'wxyz'),
    'Temp',
    'Strain Gage',
)
RATE_HZ = 62.5
PAUSE_MS = 1000.0  # a few healthy runs stop for longer
FLICKER_ROWS = 16  # the force sensor drops out for up to 6 rows within an event
_HEALTHY, _FAULTY = 'Healthy Mode', 'Manual N Mode'
_NAME = re.compile(r'merged_data(\d+)')
_HELD_OUT = (6, 7)  # of the healthy runs, by number modulo 8: an even and an odd class


def read_rosa(folder: Path, *, odd: bool = False) -> DataSet:
    """Read the healthy runs and those with lateral force (N) from the archive's folder.

    Every eighth healthy run is a test series without events; the other healthy runs, cut where
    they pause, are what all series learn from.

    Args:
        folder: that holds `Healthy Mode` and `Manual N Mode`.
        odd: take the odd-numbered runs instead of the even-numbered ones.

    Raises:
        InputError: there are no runs, or one can't be used.
    """
    healthy = {number: _read('H', number, path) for number, path in _runs(folder, _HEALTHY, odd)}
    faulty = {number: _read('N', number, path) for number, path in _runs(folder, _FAULTY, odd)}
    held_out = [run for number, run in healthy.items() if number % 8 in _HELD_OUT]
    learned = [run for number, run in healthy.items() if number % 8 not in _HELD_OUT]
    train = tuple(chain.from_iterable(_pieces(run.recording) for run in learned))
    series = (
        Series(run.recording.name, train, run.recording, run.labels, False, RATE_HZ)
        for run in (*held_out, *faulty.values())
    )
    return DataSet('rosa', CHANNELS, tuple(series))


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    recording: Recording
    labels: Bools  # [T]


def _runs(folder: Path, mode: str, odd: bool) -> list[tuple[int, Path]]:
    """Numbers and files of a folder's runs, in the order of their names."""
    names = [(path, _NAME.fullmatch(path.stem)) for path in sorted((folder / mode).glob('*.csv'))]
    numbered = [(int(name[1]), path) for path, name in names if name]
    runs = [(number, path) for number, path in numbered if number % 2 == odd]
    if not runs:
        raise InputError(
            f'{folder / mode}: no runs merged_data*.csv; clone https://github.com/mrl-anomaly/'
            'RoSA-data-archive-for-fault-anomaly-detection and name its folder'
        )
    return runs


def _read(mode: str, number: int, path: Path) -> _Run:
    table = read_table(path)
    values = table.numbers(CHANNELS)
    if not np.isfinite(values).all():
        raise InputError(f'{path}: values are missing; fetch the original again')
    pauses = np.flatnonzero(np.diff(table.numbers(['Time'])[:, 0]) > PAUSE_MS) + 1
    name = f'{mode}/merged_data{number}'
    is_faulty = np.array([cell == 'A' for cell in table.text('Binary Macro Health Mode')])
    recording = grid_recording(name, values, RATE_HZ, starts=(0, *pauses.tolist()))
    return _Run(recording, close_gaps(is_faulty, FLICKER_ROWS))


def _pieces(recording: Recording) -> Iterator[Recording]:
    """What lies between the pauses, where it is a second long at least."""
    for start, end in pairwise((*recording.starts, len(recording.values))):
        if end - start >= RATE_HZ:
            yield grid_recording(recording.name, recording.values[start:end], RATE_HZ)
