"""Runs in SKAB's form: 400 normal rows, then the fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.skab import CHANNELS, read_skab


def write(path: Path, *, rows: int, anomalous: range) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [';'.join(('datetime', *CHANNELS, 'anomaly', 'changepoint'))]
    for row in range(rows):
        values = [str(row + channel / 10) for channel in range(len(CHANNELS))]
        lines.append(';'.join(('2020-03-09 10:14:33', *values, f'{row in anomalous:.1f}', '0.0')))
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def test_a_run_is_learned_from_its_first_rows(tmp_path: Path) -> None:
    for name in ('10', '2'):
        write(tmp_path / 'valve1' / f'{name}.csv', rows=410, anomalous=range(405, 408))
    data = read_skab(tmp_path)
    assert [series.name for series in data.series] == ['valve1/2', 'valve1/10']
    (series, _) = data.series
    assert series.continues
    assert [len(recording.values) for recording in series.train] == [400]
    np.testing.assert_allclose(series.test.values[0], 400 + np.arange(8) / 10)
    assert np.flatnonzero(series.labels).tolist() == [5, 6, 7]


def test_a_run_that_is_not_normal_at_first_is_refused(tmp_path: Path) -> None:
    write(tmp_path / 'other' / '1.csv', rows=500, anomalous=range(390, 420))
    with pytest.raises(InputError, match=r'1\.csv: the first 400 of 500 rows are not all normal'):
        read_skab(tmp_path, 'other')


def test_an_absent_folder_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'valve1: no CSV files; clone https'):
        read_skab(tmp_path)
