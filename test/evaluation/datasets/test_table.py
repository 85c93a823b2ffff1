"""Tables of a few cells; errors name the file, the row and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.table import hold, read_table, seconds_since_epoch


def write(folder: Path, text: str) -> Path:
    path = folder / 'table.csv'
    path.write_text(text, encoding='utf-8')
    return path


def test_columns_are_found_by_name_whatever_blanks_or_mark_stand_before(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, '\ufeffa, b ,a\n1,2.5,9\n3,,9\n'))
    assert table.rows == 2
    np.testing.assert_equal(table.numbers(['b', 'a']), [[2.5, 1.0], [np.nan, 3.0]])


def test_flags_are_numbers_or_words(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'y,n\n1.0,x\nTrue,x\n0,x\nFALSE,x\n,x\n'))
    assert table.flags('y').tolist() == [True, True, False, False, False]


def test_times_are_read_with_and_without_a_zone(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'at\n1970-01-01 00:01:00\n"1970-01-01T01:00:00.500Z"\n'))
    assert table.seconds('at').tolist() == [60.0, 3600.5]
    assert seconds_since_epoch('"1970-01-01T00:00:01+00:00"') == 1.0


def read(path: Path) -> None:
    table = read_table(path)
    table.numbers(['value'])
    table.flags('label')


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('', 'no rows; fetch'),
        ('value,label\n', 'no rows; fetch'),
        ('value,label\n1\n', "row 1: 1 cells under 2 column names; is it separated by ','"),
        ('level,label\n1,0\n', "no column 'value'; did you mean"),
        ('value,label\n1,0\nhigh,0\n', "row 2: value is 'high', which is no number; fetch"),
        ('value,label\n1,2\n', "row 1: label is '2', which is neither 0 nor 1; fetch"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as refusal:
        read(path)
    assert str(refusal.value).startswith(str(path))
    assert said in str(refusal.value)
    assert '\n' not in str(refusal.value)


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='at: Invalid isoformat'):
        read_table(write(tmp_path, 'at\nnoon\n')).seconds('at')


def test_an_absent_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'No such file.*needed: a CSV file'):
        read_table(tmp_path / 'none.csv')
    (tmp_path / 'table.xlsx').write_bytes(b'PK\x03\x04\xff\xfe')
    with pytest.raises(InputError, match='needed: a CSV file'):
        read_table(tmp_path / 'table.xlsx')


def test_missing_values_hold_the_last_one_or_else_the_first() -> None:
    gaps = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [3.0, 4.0]])
    np.testing.assert_equal(hold(gaps), [[2.0, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 4.0]])
