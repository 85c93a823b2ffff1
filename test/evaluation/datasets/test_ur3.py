"""A sheet in the form of UR3 CobotOps with two sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.ur3 import CHANNELS, read_ur3

STOPS = {3: 'stop', 8: 'stop', 9: 'grip', 16: 'grip'}


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Twenty rows from 08:00:00 on, a second apart, and ten more an hour later."""
    lines = [
        ','.join(('Num', 'Timestamp', *CHANNELS, 'cycle ', 'Robot_ProtectiveStop', 'grip_lost'))
    ]
    for row in range(30):
        hour, second = (8, row) if row < 20 else (9, row)
        values = ['' if row in (0, 7) else str(float(row)) for _ in CHANNELS]
        stop = '1' if STOPS.get(row) == 'stop' else '0'
        grip = 'True' if STOPS.get(row) == 'grip' else 'False'
        stamp = f'"""2022-10-26T{hour:02}:00:{second:02}.847Z"""'
        lines.append(','.join((str(row), stamp, *values, '1', stop, grip)))
    path = tmp_path / 'ur3.csv'
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


def test_a_session_is_learned_from_the_normal_rows_of_its_first_part(sheet: Path) -> None:
    first, second = read_ur3(sheet).series
    (train,) = first.train
    # 30 % of 20 rows are rows 0 to 5; row 3 is anomalous and cut out.
    assert train.values[:, 0].tolist() == [1.0, 1.0, 2.0, 4.0, 5.0]  # row 0 is missing
    assert train.starts == (0, 3)
    assert first.continues
    assert first.test.values[:2, 0].tolist() == [6.0, 6.0]  # row 7 is missing
    assert np.flatnonzero(first.labels).tolist() == [2, 3, 10]
    assert (len(second.test.values), second.has_events) == (7, False)


def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'dataset\.xlsx: save the sheet as CSV'):
        read_ur3(tmp_path / 'dataset.xlsx')
