"""SKAB: a water circulation rig whose valves are closed (github.com/waico/SKAB)."""

from __future__ import annotations

from pathlib import Path

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.series import DataSet, Series, grid_recording
from taolora_ros.evaluation.datasets.table import read_table

CHANNELS = (
    'Accelerometer1RMS',
    'Accelerometer2RMS',
    'Current',
    'Pressure',
    'Temperature',
    'Thermocouple',
    'Voltage',
    'Volume Flow RateRMS',
)
RATE_HZ = 1.0
TRAIN_ROWS = 400  # normal in every run of valve1 and valve2


def read_skab(folder: Path, experiment: str = 'valve1') -> DataSet:
    """Read the runs of one experiment from SKAB's folder `data`.

    Each run is learned from its own first 400 rows: the separate anomaly-free run is another
    operating regime.

    Args:
        folder: that holds the experiments.
        experiment: folder of the runs `0.csv`, `1.csv`, …

    Raises:
        InputError: there is no run, or one can't be used.
    """
    files = sorted((folder / experiment).glob('*.csv'), key=lambda path: (len(path.stem), path))
    if not files:
        raise InputError(
            f'{folder / experiment}: no CSV files; clone https://github.com/waico/SKAB and name '
            'its folder data'
        )
    return DataSet('skab', CHANNELS, tuple(_run(path, experiment) for path in files))


def _run(path: Path, experiment: str) -> Series:
    table = read_table(path, separator=';')
    values, labels = table.numbers(CHANNELS), table.flags('anomaly')
    if len(values) <= TRAIN_ROWS or labels[:TRAIN_ROWS].any():
        raise InputError(
            f'{path}: the first {TRAIN_ROWS} of {len(values)} rows are not all normal with rows '
            'after them; valve1 and valve2 have such runs'
        )
    name = f'{experiment}/{path.stem}'
    return Series(
        name,
        (grid_recording(name, values[:TRAIN_ROWS], RATE_HZ),),
        grid_recording(name, values[TRAIN_ROWS:], RATE_HZ),
        labels[TRAIN_ROWS:],
        continues=True,
        rate_hz=RATE_HZ,
    )
