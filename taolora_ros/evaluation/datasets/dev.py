"""The development sets: labeled series in one npz file a set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from taolora_ros.errors import InputError, nearest
from taolora_ros.evaluation.datasets.series import DataSet, Series, grid_recording
from taolora_ros.samples import Floats, Recording

_FILES = {
    'nab': 'nab.npz',
    'rosa': 'rosa.npz',
    'skab': 'skab.npz',
    'ur3': 'ur3_cobotops.npz',
}
NAMES = tuple(_FILES)
# RoSA's fault runs are recordings of their own; elsewhere a run begins with its training rows.
_CONTINUES = {'nab': True, 'rosa': False, 'skab': True, 'ur3': True}
# Rows where the training part goes on after an event that was cut out of it; the files don't say.
_CUTS = {
    'machine_temperature_system_failure': (2126,),
    'session_dev': (19, 25, 35, 47, 126, 145, 149, 331, 341, 348, 501),
}

# What NumPy, JSON and a garbled description raise.
_DAMAGES = (OSError, ValueError, TypeError, AttributeError, LookupError, EOFError, BadZipFile)


def read_dev(folder: Path, name: str) -> DataSet:
    """Read a development set by name: nab, rosa, skab or ur3.

    RoSA's healthy test runs are series without events; all its series share one training part.

    Raises:
        InputError: the folder or the file is absent or damaged, or there is no set of that name.
    """
    if name not in _FILES:
        raise InputError(f'no development set {name!r}; {nearest(name, _FILES)}')
    path = folder / _FILES[name]
    if not path.is_file():
        raise InputError(f'{path} is absent; the development sets are not part of the repository')
    try:
        with path.open('rb') as opened, np.load(opened) as file:
            return _data_set(name, {key: file[key] for key in file.files})
    except _DAMAGES as error:
        raise InputError(f'{path} is damaged ({error}); copy it again') from None


def _data_set(name: str, arrays: dict[str, Any]) -> DataSet:
    meta = json.loads(bytes(arrays['meta']))
    joined = next(iter(meta['train_bounds'].values()), [0])
    trains: dict[str, tuple[Recording, ...]] = {}
    series = []
    for entry in meta['series']:
        title, rate_hz = str(entry['series']), float(entry['rate_hz'])
        key = entry['train']
        if key not in trains:
            trains[key] = _train(arrays[key], joined, rate_hz, _CUTS.get(title, ()))
        test = grid_recording(title, arrays[entry['test']].astype(np.float64), rate_hz)
        labels = arrays[entry['y']] != 0
        if labels.shape != test.stamps_ns.shape:
            raise ValueError(f'{len(labels)} labels for {len(test.values)} rows of {title}')
        series.append(Series(title, trains[key], test, labels, _CONTINUES[name], rate_hz))
    return DataSet(name, tuple(meta['series'][0]['channels']), tuple(series))


def _train(
    values: Floats, joined: list[int], rate_hz: float, cuts: tuple[int, ...]
) -> tuple[Recording, ...]:
    """The recordings that were joined at the given rows."""
    ends = [*joined[1:], len(values)]
    return tuple(
        grid_recording(
            f'train/{index}',
            values[start:end].astype(np.float64),
            rate_hz,
            starts=(0, *(cut - start for cut in cuts if start < cut < end)),
        )
        for index, (start, end) in enumerate(zip(joined, ends, strict=True))
    )
