"""Files in TSB-AD's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.datasets.tsb_ad import read_tsb_ad

NAME = '057_SMD_id_1_Facility_tr_4_1st_6.csv'
TEXT = 'A,B,Label\n' + ''.join(f'{row},{-row},{int(row in (6, 7))}\n' for row in range(10))


def test_the_name_tells_how_many_rows_are_for_training(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(TEXT, encoding='utf-8')
    data = read_tsb_ad(path)
    (series,) = data.series
    assert (data.channels, series.name) == (('A', 'B'), '057_SMD_id_1_Facility')
    assert [len(recording.values) for recording in series.train] == [4]
    assert series.test.values[0].tolist() == [4.0, -4.0]
    assert np.flatnonzero(series.labels).tolist() == [2, 3]


@pytest.mark.parametrize(
    ('name', 'text', 'said'),
    [
        ('smd.csv', TEXT, 'no training length in the name; needed: …_tr_'),
        ('smd_tr_7_1st_6.csv', TEXT, '2 columns of values and 10 rows, the first 7'),
        ('smd_tr_10_1st_6.csv', TEXT, 'the first 10 of which must be normal'),
        ('smd_tr_1_1st_2.csv', 'Label\n0\n0\n1\n', '0 columns of values'),
        ('smd_tr_1_1st_2.csv', 'A,Label\n0,0\n,0\n1,1\n', 'values are missing'),
    ],
)
def test_a_file_of_another_form_is_refused(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding='utf-8')
    with pytest.raises(InputError, match=said):
        read_tsb_ad(path)
