"""Development sets in a small file of their form, and the real ones where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.dev import NAMES, read_dev

SHARED = Path(__file__).parents[4] / 'shared' / 'data' / 'dev'
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f'{SHARED} is absent')


def write(path: Path, **changed: Any) -> None:
    entries = [
        {
            'series': name,
            'train': 'train_0',
            'test': f'test_{index}',
            'y': f'y_{index}',
            'rate_hz': 62.5,
            'channels': ['a', 'b'],
        }
        for index, name in enumerate(('H/1', 'N/2'))
    ]
    meta = {'series': entries, 'train_bounds': {'rosa/dev': [0, 3]}}
    arrays = {
        'train_0': np.arange(10, dtype=np.float32).reshape(5, 2),
        'test_0': np.zeros((4, 2), np.float32),
        'y_0': np.zeros(4, np.int8),
        'test_1': np.ones((3, 2), np.float32),
        'y_1': np.array([0, 1, 0], np.int8),
        'meta': np.frombuffer(json.dumps(meta).encode(), np.uint8),
    }
    np.savez(path, **{**arrays, **changed})


def test_series_share_the_recordings_that_were_joined(tmp_path: Path) -> None:
    write(tmp_path / 'rosa.npz')
    data = read_dev(tmp_path, 'rosa')
    healthy, faulty = data.series
    assert data.channels == ('a', 'b')
    assert [run.values[:, 0].tolist() for run in faulty.train] == [[0.0, 2.0, 4.0], [6.0, 8.0]]
    assert healthy.train is faulty.train
    assert data.labeled == (faulty,)
    assert faulty.labels.tolist() == [False, True, False]
    assert faulty.test.values.dtype == np.float64


def test_an_absent_set_and_an_unknown_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'skab\.npz is absent; the development sets are not'):
        read_dev(tmp_path, 'skab')
    with pytest.raises(InputError, match="no development set 'scab'; did you mean 'skab'"):
        read_dev(tmp_path, 'scab')


@pytest.mark.parametrize(
    'changed', [{'y_1': np.zeros(7, np.int8)}, {'meta': np.zeros(3, np.uint8)}]
)
def test_a_damaged_file_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    write(tmp_path / 'rosa.npz', **changed)
    with pytest.raises(InputError, match=r'rosa\.npz is damaged .*; copy it again'):
        read_dev(tmp_path, 'rosa')
    (tmp_path / 'rosa.npz').write_bytes(b'PK\x03\x04 cut off')
    with pytest.raises(InputError, match=r'rosa\.npz is damaged .*; copy it again'):
        read_dev(tmp_path, 'rosa')


@needs_shared
@pytest.mark.parametrize(
    ('name', 'series', 'labeled', 'recordings', 'channels'),
    [('rosa', 37, 26, 32, 21), ('skab', 16, 16, 1, 8), ('ur3', 1, 1, 1, 19), ('nab', 2, 2, 1, 1)],
)
def test_the_real_sets_are_as_their_readme_says(
    name: str, series: int, labeled: int, recordings: int, channels: int
) -> None:
    data = read_dev(SHARED, name)
    assert (len(data.series), len(data.labeled)) == (series, labeled)
    for one in data.series:
        assert len(one.train) == recordings
        assert one.test.values.shape == (len(one.labels), channels)
        assert all(np.isfinite(part.values).all() for part in (*one.train, one.test))


def test_every_set_has_a_name() -> None:
    assert NAMES == ('nab', 'rosa', 'skab', 'ur3')
