"""Series in NAB's form: five-minute rows and windows with both ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.nab import read_nab

NAME = 'realKnownCause/oven.csv'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty rows, of which rows 2 and 3 and rows 20 to 23 lie in windows."""
    windows = [
        ['2014-01-01 00:10:00.000000', '2014-01-01 00:15:00.000000'],
        ['2014-01-01 01:40:00.000000', '2014-01-01 01:55:00.000000'],
    ]
    rows = [f'2014-01-01 {5 * row // 60:02}:{5 * row % 60:02}:00,{row}' for row in range(40)]
    path = tmp_path / 'data' / NAME
    path.parent.mkdir(parents=True)
    path.write_text('timestamp,value\n' + '\n'.join(rows) + '\n', encoding='utf-8')
    (tmp_path / 'labels').mkdir()
    text = json.dumps({NAME: windows})
    (tmp_path / 'labels' / 'combined_windows.json').write_text(text, encoding='utf-8')
    return tmp_path


def test_a_series_is_learned_from_the_normal_rows_of_its_probation(folder: Path) -> None:
    (series,) = read_nab(folder, [NAME]).series
    (train,) = series.train
    assert train.values[:, 0].tolist() == [0.0, 1.0, 4.0, 5.0]  # 15 % of 40 rows, less the window
    assert train.starts == (0, 2)
    assert series.rate_hz == pytest.approx(1 / 300)
    assert np.flatnonzero(series.labels).tolist() == [14, 15, 16, 17]
    assert series.continues


def test_an_unknown_series_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean 'realKnownCause/oven\.csv'"):
        read_nab(folder, ['realKnownCause/ovens.csv'])


def test_absent_windows_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'combined_windows\.json: No such file.*clone https'):
        read_nab(tmp_path)
