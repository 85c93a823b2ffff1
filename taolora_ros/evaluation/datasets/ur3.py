"""UR3 CobotOps: an arm with protective stops and lost grips (UCI 963, Tyrovolas et al. 2023)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.series import DataSet, Series, breaks, grid_recording
from taolora_ros.evaluation.datasets.table import hold, read_table
from taolora_ros.samples import Bools, Floats

CHANNELS = (
    'Current_J0',
    'Temperature_T0',
    *(f'{kind}_J{joint}' for joint in range(1, 6) for kind in ('Current', 'Temperature')),
    *(f'Speed_J{joint}' for joint in range(6)),
    'Tool_current',
)
RATE_HZ = 1.0
TRAIN_SHARE = 0.3  # of a session; its normal rows are learned from
PAUSE_S = 60.0  # between sessions


def read_ur3(path: Path) -> DataSet:
    """Read the sheet, saved as CSV: one series a session.

    Missing values hold the last one known. A session without test rows or normal rows is left out.

    Raises:
        InputError: the file can't be used.
    """
    if path.suffix.lower() in ('.xls', '.xlsx'):
        raise InputError(f'{path}: save the sheet as CSV (UTF-8, separated by commas) first')
    table = read_table(path)
    stamps_s = table.seconds('Timestamp')
    values = hold(table.numbers(CHANNELS))
    labels = table.flags('Robot_ProtectiveStop') | table.flags('grip_lost')
    bounds = [0, *(np.flatnonzero(np.diff(stamps_s) > PAUSE_S) + 1).tolist(), table.rows]
    sessions = [
        _session(f'session{number}', values[start:end], labels[start:end])
        for number, (start, end) in enumerate(pairwise(bounds), start=1)
    ]
    return DataSet('ur3', CHANNELS, tuple(session for session in sessions if session))


def _session(name: str, values: Floats, labels: Bools) -> Series | None:
    split = int(TRAIN_SHARE * len(values))
    normal = ~labels[:split]
    if not normal.any():
        return None
    train = grid_recording(name, values[:split][normal], RATE_HZ, starts=breaks(normal))
    test = grid_recording(name, values[split:], RATE_HZ)
    continues = bool(normal[-1])
    return Series(name, (train,), test, labels[split:], continues, rate_hz=RATE_HZ)
