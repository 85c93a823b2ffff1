"""Normal recordings cut into sessions, each of which re-bases on its own beginning.

A detector re-bases whenever it starts, so calibration has to see many starts, not one a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from taolora_ros.config import Config
from taolora_ros.detection.watch import warmup_rows
from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Floats, Recording

WARMUPS = 10.0  # a session is at least this many warm-ups long
SESSIONS = 4  # unless that leaves fewer than so many of them
TRACKINGS = 1.0  # and, where the recording allows, as long as locations take to follow
MAX_FOLDS = 8
MIN_HOPS = 100  # that a tail is fitted to


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
    least = max(2 * warmup_rows(config), config.window.length, 200)
    total = sum(len(recording.values) for recording in recordings)
    target = max(min(target, total // SESSIONS), least)
    pieces = [
        (index, slice(low, high))
        for index, recording in enumerate(recordings)
        for low, high in _pieces(recording, target)
        if high - low >= least
    ]
    used = sorted({index for index, _ in pieces})
    by_recording = len(used) >= 3
    if len(pieces) < 2:
        needed = 2 * max(least, warmup_rows(config) + MIN_HOPS * config.window.patch)
        raise CalibrationError(
            f'{total / rate:.1f} s of normal data make {len(pieces)} session(s) of at least '
            f'{least / rate:.1f} s; two are needed. Record {needed / rate:.0f} s or more without '
            f'a gap, or lower detection.warmup_s'
        )
    return tuple(
        Session(
            recordings[index].values[rows],
            recordings[index].peaks[rows],
            (used.index(index) if by_recording else place) % MAX_FOLDS,
        )
        for place, (index, rows) in enumerate(pieces)
    )


def _pieces(recording: Recording, target: int) -> list[tuple[int, int]]:
    """Each segment in equal pieces of about the target, as rows from and to."""
    pieces: list[tuple[int, int]] = []
    for start, end in _segments(recording):
        count = max(1, (end - start) // target)
        borders = [start + (end - start) * piece // count for piece in range(count + 1)]
        pieces.extend(pairwise(borders))
    return pieces


def _segments(recording: Recording) -> list[tuple[int, int]]:
    ends = [*recording.starts[1:], len(recording.values)]
    return list(zip(recording.starts, ends, strict=True))
