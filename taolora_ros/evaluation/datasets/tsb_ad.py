"""TSB-AD: one CSV file a series, the training length in its name (Liu and Paparrizos 2024)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.series import DataSet, Series, grid_recording
from taolora_ros.evaluation.datasets.table import read_table

_NAME = re.compile(r'(?P<title>.+)_tr_(?P<train>\d+)_1st_\d+')


def read_tsb_ad(path: Path, *, rate_hz: float = 1.0) -> DataSet:
    """Read a series: columns of values, then `Label`.

    Args:
        path: file named `…_tr_<training rows>_1st_<first anomalous row>.csv`.
        rate_hz: of its rows, which TSB-AD doesn't tell.

    Raises:
        InputError: the name or the content is of another form.
    """
    named = _NAME.fullmatch(path.stem)
    if not named:
        raise InputError(
            f'{path}: no training length in the name; needed: …_tr_<rows>_1st_<row>.csv, '
            'as TSB-AD names its files'
        )
    table = read_table(path)
    labels = table.flags('Label')
    channels = tuple(name for name in table.columns if name != 'Label')
    values = table.numbers(channels) if channels else np.empty((table.rows, 0))
    split = int(named['train'])
    if not channels or not 0 < split < len(values) or labels[:split].any():
        raise InputError(
            f'{path}: {len(channels)} columns of values and {len(values)} rows, the first {split} '
            'of which must be normal; fetch the original again'
        )
    if not np.isfinite(values).all():
        raise InputError(f'{path}: values are missing; TSB-AD leaves such rows out')
    title = named['title']
    train = grid_recording(title, values[:split], rate_hz)
    test = grid_recording(title, values[split:], rate_hz)
    series = Series(title, (train,), test, labels[split:], continues=True, rate_hz=rate_hz)
    return DataSet('tsb_ad', channels, (series,))
