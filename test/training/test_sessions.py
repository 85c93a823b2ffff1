from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.config import Config, DetectionConfig, IngestConfig, WindowConfig
from taolora_ros.detection.watch import warmup_rows
from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Recording
from taolora_ros.training.sessions import split_sessions

CONFIG = Config(
    ingest=IngestConfig(sample_rate_hz=10.0),
    window=WindowConfig(patch=4, length=64),
    detection=DetectionConfig(warmup_s=2.0, tracking_s=20.0),
)


def _recording(rows: int, starts: tuple[int, ...] = (0,)) -> Recording:
    numbers = np.arange(rows, dtype=float)[:, None]
    stamps = np.arange(rows, dtype=np.int64) * 100_000_000
    return Recording('r', stamps, numbers, np.zeros_like(numbers), starts)


def test_one_long_recording_becomes_consecutive_sessions_in_alternating_folds() -> None:
    sessions = split_sessions([_recording(2000)], CONFIG)
    # Ten warm-ups of 2 s, or the 20 s that locations take to follow: 200 rows at 10 Hz.
    assert [len(session.own) for session in sessions] == [200] * 10
    assert np.concatenate([session.own for session in sessions]).ravel().tolist() == list(
        range(2000)
    )
    assert [session.fold for session in sessions] == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]


def test_less_normal_data_make_shorter_sessions_but_eight_of_them() -> None:
    sessions = split_sessions([_recording(1000)], CONFIG)
    assert [len(session.own) for session in sessions] == [125] * 8


def test_a_session_that_goes_on_warms_up_on_the_rows_before_it() -> None:
    first, *others = split_sessions([_recording(1000)], CONFIG)
    assert first.lead == 0
    for session in others:
        assert session.lead == warmup_rows(CONFIG) == 44  # 10 + 32 rows in whole tokens of 4
        start = int(session.own[0, 0])
        assert session.values[:, 0].tolist() == list(range(start - 44, start + 125))
        assert len(session.peaks) == len(session.values)


def test_no_session_crosses_a_gap() -> None:
    sessions = split_sessions([_recording(1000, starts=(0, 450))], CONFIG)
    assert not any((s.values[0] < 450) and (s.values[-1] >= 450) for s in sessions)
    assert [int(s.own[0, 0]) for s in sessions if s.lead == 0] == [0, 450]


def test_whole_recordings_are_held_out_when_there_are_three() -> None:
    sessions = split_sessions([_recording(400) for _ in range(3)], CONFIG)
    assert [session.fold for session in sessions] == [0, 0, 1, 1, 2, 2]


def test_too_little_normal_data_says_how_much_to_record() -> None:
    with pytest.raises(CalibrationError, match=r'15.0 s of normal data .* Record \d+ s or more'):
        split_sessions([_recording(150)], CONFIG)


def test_short_recordings_beside_a_long_one_are_passed_over() -> None:
    sessions = split_sessions([_recording(2000), _recording(50), _recording(50)], CONFIG)
    assert len({session.fold for session in sessions}) > 1


@pytest.mark.parametrize('rows', [200, 300, 1000, 5000])
def test_every_session_outlasts_its_warm_up(rows: int) -> None:
    for session in split_sessions([_recording(rows)], CONFIG):
        assert len(session.values) >= 2 * warmup_rows(CONFIG)


def test_parts_of_one_session_are_long_enough_for_the_slowest_residual() -> None:
    # Without re-basing nothing needs a warm-up, but the mean residual is over 64 rows.
    detection = dataclasses.replace(CONFIG.detection, warmup_s=0.0, tracking_s=1.0)
    config = dataclasses.replace(CONFIG, detection=detection)
    assert [len(session.own) for session in split_sessions([_recording(640)], config)] == [64] * 10
    assert [len(session.own) for session in split_sessions([_recording(700)], config)] == [70] * 10


def test_a_session_outlasts_the_rows_that_a_long_order_looks_back_on() -> None:
    detection = dataclasses.replace(CONFIG.detection, warmup_s=0.0, tracking_s=1.0)
    model = dataclasses.replace(CONFIG.model, order=60)
    config = dataclasses.replace(CONFIG, detection=detection, model=model)
    sessions = split_sessions([_recording(700), _recording(95)], config)
    # 60 rows of the order and 32 that fill windows are 92; one token of 4 more gives a score.
    assert [len(session.own) for session in sessions] == [100] * 7
