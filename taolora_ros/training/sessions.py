"""Normal recordings cut into sessions, each of which re-bases on its own beginning.

A detector re-bases whenever it starts, so calibration has to see many starts, not one a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taolora_ros.config import Config
from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Floats, Recording

WARMUPS = 10.0  # a session is at least this many warm-ups long
SESSIONS = 4  # unless that leaves fewer than so many of them
TRACKINGS = 1.0  # and, where the recording allows, as long as locations take to follow
MAX_FOLDS = 8


@dataclass(frozen=True, eq=False)
class Session:
    """Consecutive normal rows, and the fold in which they are held out."""

    values: Floats  # [T, C]
    peaks: Floats  # [T, C]
    fold: int


def split_sessions(recordings: Sequence[Recording], config: Config) -> tuple[Session, ...]:
    """Cut recordings into sessions that cross no gap.

    With three recordings or more, each fold holds out whole recordings, so that calibration sees
    how recordings differ; with fewer, each fold holds out every so many sessions.

    Raises:
        CalibrationError: no recording is long enough for a session, or there is just one session.
    """
    rate = config.ingest.sample_rate_hz
    warmup_s = config.detection.warmup_s
    target = round(max(WARMUPS * warmup_s, TRACKINGS * config.detection.tracking_s) * rate)
    least = max(round(2 * warmup_s * rate), config.window.length, 200)
    total = sum(len(recording.values) for recording in recordings)
    target = max(min(target, total // SESSIONS), least)
    by_recording = len(recordings) >= 3
    sessions: list[Session] = []
    for index, recording in enumerate(recordings):
        for start, end in _segments(recording):
            count = max(1, (end - start) // target)
            for piece in range(count):
                low = start + (end - start) * piece // count
                high = start + (end - start) * (piece + 1) // count
                if high - low >= least:
                    fold = (index if by_recording else len(sessions)) % MAX_FOLDS
                    rows = slice(low, high)
                    sessions.append(Session(recording.values[rows], recording.peaks[rows], fold))
    if len({session.fold for session in sessions}) < 2:
        total_s = sum(len(recording.values) for recording in recordings) / rate
        raise CalibrationError(
            f'{total_s:.1f} s of normal data make {len(sessions)} session(s) of at least '
            f'{least / rate:.1f} s; two are needed. Record {2 * target / rate:.0f} s or more, '
            f'or lower detection.warmup_s'
        )
    return tuple(sessions)


def _segments(recording: Recording) -> list[tuple[int, int]]:
    ends = [*recording.starts[1:], len(recording.values)]
    return list(zip(recording.starts, ends, strict=True))
