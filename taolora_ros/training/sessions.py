"""Normal recordings cut into sessions, each of which re-bases on its own beginning.

A detector re-bases whenever it starts, so calibration has to see many starts, not one a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from taolora_ros.config import Config
from taolora_ros.detection.evidence import DRIFT_ROWS
from taolora_ros.detection.tails import MIN_HOPS
from taolora_ros.detection.watch import rebasing_rows, warmup_rows
from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Floats, Recording

WARMUPS = 10.0  # a session is at least this many warm-ups long
SESSIONS = 8  # unless that leaves fewer than so many of them
TRACKINGS = 1.0  # and, where the recording allows, as long as locations take to follow
MAX_FOLDS = 8


@dataclass(frozen=True, eq=False)
class Session:
    """Consecutive normal rows, and the fold in which they are held out.

    A session that goes on where another ended warms up on the last rows of that one, so that no
    row is lost to it; they come first, and only the watch sees them twice.
    """

    values: Floats  # [T, C]
    peaks: Floats  # [T, C]
    fold: int
    lead: int = 0  # rows at the start that belong to the session before

    @property
    def own(self) -> Floats:
        """The rows [T − lead, C] that no other session has."""
        return self.values[self.lead :]


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
    warmup = warmup_rows(config)
    least = max(2 * rebasing_rows(config), warmup + config.window.patch, DRIFT_ROWS)
    total = sum(len(recording.values) for recording in recordings)
    target = max(min(target, total // SESSIONS), least)
    pieces = [
        (index, piece)
        for index, recording in enumerate(recordings)
        for piece in _pieces(recording, target, warmup)
        if piece.end - piece.own >= least
    ]
    used = sorted({index for index, _ in pieces})
    by_recording = len(used) >= 3
    if len(pieces) < 2:
        needed = 2 * max(least, warmup + MIN_HOPS * config.window.patch)
        raise CalibrationError(
            f'{total / rate:.1f} s of normal data make {len(pieces)} session(s) of at least '
            f'{least / rate:.1f} s; two are needed. Record {needed / rate:.0f} s or more without '
            f'a gap, or lower detection.warmup_s'
        )
    return tuple(
        Session(
            recordings[index].values[piece.start : piece.end],
            recordings[index].peaks[piece.start : piece.end],
            (used.index(index) if by_recording else place) % MAX_FOLDS,
            piece.own - piece.start,
        )
        for place, (index, piece) in enumerate(pieces)
    )


@dataclass(frozen=True)
class _Piece:
    """Rows of a recording."""

    start: int  # of the warm-up
    own: int
    end: int


def _pieces(recording: Recording, target: int, warmup: int) -> list[_Piece]:
    """Each segment in equal pieces of about the target, each after the first led in."""
    pieces: list[_Piece] = []
    for start, end in _segments(recording):
        count = max(1, (end - start) // target)
        borders = [start + (end - start) * piece // count for piece in range(count + 1)]
        pieces.extend(
            _Piece(max(start, low - warmup), low, high) for low, high in pairwise(borders)
        )
    return pieces


def _segments(recording: Recording) -> list[tuple[int, int]]:
    ends = [*recording.starts[1:], len(recording.values)]
    return list(zip(recording.starts, ends, strict=True))
