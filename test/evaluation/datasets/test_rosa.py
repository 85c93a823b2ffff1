"""Runs in RoSA's form: names with blanks before them, labels that flicker, pauses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.rosa import CHANNELS, read_rosa

NAMES = [f' {name}' if name.startswith('Quat') else name for name in CHANNELS]


def write(path: Path, *, rows: int, faulty: str = '', pause_at: int = -1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [','.join(('Time', *NAMES, 'Force Sensor 1', 'Binary Macro Health Mode'))]
    for row in range(rows):
        time_ms = 16 * row + (27_000 if row >= pause_at >= 0 else 0)
        values = [str(row + channel / 100) for channel in range(len(NAMES))]
        label = 'A' if faulty[row : row + 1] == 'x' else 'H'
        lines.append(','.join((str(time_ms), *values, '0', label)))
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    healthy, faulty = tmp_path / 'Healthy Mode', tmp_path / 'Manual N Mode'
    write(healthy / 'merged_data36.csv', rows=70)
    write(healthy / 'merged_data100.csv', rows=150, pause_at=10)
    write(healthy / 'merged_data37.csv', rows=80)
    write(healthy / 'merged_data39.csv', rows=90)
    write(healthy / 'merged_data38.csv', rows=75)
    write(faulty / 'merged_data200.csv', rows=40, faulty='..x..x' + '.' * 17 + 'xx')
    write(faulty / 'merged_data201.csv', rows=30, faulty='x')
    (faulty / 'README.md').write_text('about', encoding='utf-8')
    return tmp_path


def test_all_series_learn_from_the_same_healthy_runs(archive: Path) -> None:
    data = read_rosa(archive)
    assert [series.name for series in data.series] == ['H/merged_data38', 'N/merged_data200']
    assert data.series[0].train is data.series[1].train
    assert [series.name for series in data.labeled] == ['N/merged_data200']
    np.testing.assert_allclose(data.series[0].test.values[3], 3 + np.arange(21) / 100)


def test_a_run_is_cut_where_it_pauses_and_short_pieces_are_dropped(archive: Path) -> None:
    train = read_rosa(archive).series[0].train
    # In the order of the names: run 100 without the 10 rows before its pause, then run 36.
    assert [(run.name, len(run.values)) for run in train] == [
        ('H/merged_data100', 140),
        ('H/merged_data36', 70),
    ]


def test_labels_that_flicker_are_one_event(archive: Path) -> None:
    faulty = read_rosa(archive).series[-1]
    # The gap of 2 rows is closed, the one of 17 rows is not.
    assert np.flatnonzero(faulty.labels).tolist() == [2, 3, 4, 5, 23, 24]
    assert not faulty.continues


def test_odd_runs_are_a_set_of_their_own(archive: Path) -> None:
    data = read_rosa(archive, odd=True)
    assert [series.name for series in data.series] == ['H/merged_data39', 'N/merged_data201']
    assert [run.name for run in data.series[0].train] == ['H/merged_data37']


def test_an_absent_folder_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'Healthy Mode: no runs.*clone https'):
        read_rosa(tmp_path)


def test_missing_values_are_refused(archive: Path) -> None:
    path = archive / 'Manual N Mode' / 'merged_data200.csv'
    path.write_text(path.read_text(encoding='utf-8').replace('0.01,', ',', 1), encoding='utf-8')
    with pytest.raises(InputError, match=r'merged_data200\.csv: values are missing'):
        read_rosa(archive)
