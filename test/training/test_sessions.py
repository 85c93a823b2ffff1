from __future__ import annotations

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
    sessions = split_sessions([_recording(1000)], CONFIG)
    # Ten warm-ups of 2 s, or the 20 s that locations take to follow: 200 rows at 10 Hz.
    assert [len(session.values) for session in sessions] == [200] * 5
    assert np.concatenate([session.values for session in sessions]).ravel().tolist() == list(
        range(1000)
    )
    assert [session.fold for session in sessions] == [0, 1, 2, 3, 4]


def test_no_session_crosses_a_gap() -> None:
    sessions = split_sessions([_recording(1000, starts=(0, 450))], CONFIG)
    assert not any((s.values[0] < 450) and (s.values[-1] >= 450) for s in sessions)


def test_whole_recordings_are_held_out_when_there_are_three() -> None:
    sessions = split_sessions([_recording(400) for _ in range(3)], CONFIG)
    assert [session.fold for session in sessions] == [0, 0, 1, 1, 2, 2]


def test_too_little_normal_data_says_how_much_to_record() -> None:
    with pytest.raises(CalibrationError, match=r'30.0 s of normal data .* Record \d+ s or more'):
        split_sessions([_recording(300)], CONFIG)


def test_short_recordings_beside_a_long_one_are_passed_over() -> None:
    sessions = split_sessions([_recording(2000), _recording(50), _recording(50)], CONFIG)
    assert len({session.fold for session in sessions}) > 1


def test_every_session_outlasts_its_warm_up() -> None:
    for session in split_sessions([_recording(5000)], CONFIG):
        assert len(session.values) >= 2 * warmup_rows(CONFIG)
