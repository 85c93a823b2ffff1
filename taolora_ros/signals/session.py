"""Re-basing: a session's own location of each channel, as far as its warm-up can tell it.

Sessions differ in mounting, temperature and set point more than a fault differs from its session.
How much a warm-up says about a session depends on the channel: the median of two seconds pins
down a shaft's speed, but not the mean posture of an arm in the middle of its cycle. So the
location is a random-effects estimate (Efron and Morris 1975): with b² the variance of locations
between sessions and w² the variance of a warm-up's median within a session,

    location = prior + k · (median of the warm-up − prior),   k = b² / (b² + w²)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import types

from taolora_ros.kernels.jit import cached_jit_of, compact, formula, reads, source_stamp, writes
from taolora_ros.samples import Floats
from taolora_ros.signals import columns

MIN_BETWEEN = (
    0.25  # b is at least this share of the within-session deviation: few sessions are seen
)
TRACK_LIMIT = 3.0  # deviations by which one hop may pull the tracked location


@dataclass(frozen=True, eq=False)
class SessionPrior:
    """What normal recordings say about a channel before a session begins. C columns."""

    location: Floats  # [C] median over sessions, in the channel's unit
    scale: Floats  # [C] standard deviation within a session; 1 where the channel is constant
    shrink: Floats  # [C] k, 0 to 1
    active: Floats  # [C] 1 where the channel varies; 0 where most sessions hold it, as a set point

    def rebased(self, warmup: Floats) -> Floats:
        """Location [C] of a session whose warm-up rows are [n, C]."""
        median: Floats = np.median(warmup, axis=0)
        return self.location + self.shrink * (median - self.location)

    def followed(self, location: Floats, values: Floats, weight: float) -> Floats:
        """Location [C], moved by one hop.

        Args:
            location: of the session before the hop, [C].
            values: rows [P, C] of the hop.
            weight: share of its departure from the location that counts, 0 to 1.
        """
        assert values.shape[1:] == location.shape, values.shape
        moved = np.empty(len(location))
        compiled_follow()(
            np.ascontiguousarray(values, np.float64), location, self.scale, weight, moved
        )
        return moved


@formula
def scaled(value: float, location: float, scale: float, active: float) -> float:
    """A channel's value about its location, in within-session deviations; 0 where constant."""
    return (value - location) / scale * active


@functools.cache
def compiled_follow() -> Callable[..., int]:
    """Compile, or load, what `SessionPrior.followed` runs."""
    stamp = source_stamp()

    @cached_jit_of(reads(2), reads(1), reads(1), types.float64, writes(1))
    def follow(values, location, scale, weight, moved):  # type: ignore[no-untyped-def]
        compact()
        columns.mean(values, moved)
        for c in range(len(moved)):
            departure = (moved[c] - location[c]) / scale[c]
            step = np.minimum(np.maximum(departure, -TRACK_LIMIT), TRACK_LIMIT) * scale[c]
            moved[c] = location[c] + weight * step
        return stamp

    return follow


def shrinkage(medians: Sequence[Floats], within: Floats, floor: Floats) -> Floats:
    """Share k of a warm-up's departure that is believed.

    Args:
        medians: a median [C] for each session.
        within: variance [C] of a warm-up's median about its session's median, w².
        floor: least variance [C] between sessions that is granted, whatever the few seen say.
    """
    between = np.var(np.stack(medians), axis=0, ddof=1) if len(medians) > 1 else floor
    between = np.maximum(between, floor)
    total = between + within
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)


def fit_session_prior(sessions: Sequence[Floats], warmup_rows: int) -> SessionPrior:
    """Learn the prior from normal sessions.

    Args:
        sessions: rows [T, C] a recording, each longer than the warm-up.
        warmup_rows: rows over which a session re-bases; 0 where none does, all being parts of
            the same one.
    """
    medians = [np.median(rows, axis=0) for rows in sessions]
    location = np.median(np.stack(medians), axis=0)
    if warmup_rows == 0:
        medians = [location] * len(sessions)
    pairs = list(zip(sessions, medians, strict=True))
    scale = np.sqrt(np.mean(np.concatenate([rows - own for rows, own in pairs]) ** 2, axis=0))
    usual = np.median([rows.std(axis=0) for rows in sessions], axis=0)
    active = usual > 1e-9 * np.maximum(np.abs(location), 1e-3)
    shrink = np.zeros_like(location)
    if warmup_rows:
        departures = [_warmup_medians(rows, warmup_rows) - own for rows, own in pairs]
        within = np.mean([np.mean(part**2, axis=0) for part in departures], axis=0)
        shrink = shrinkage(medians, within, (MIN_BETWEEN * scale) ** 2)
    return SessionPrior(location, np.where(active, scale, 1.0), shrink, active.astype(float))


def _warmup_medians(rows: Floats, warmup_rows: int) -> Floats:
    """Medians [n, C] of warm-ups that began at other rows."""
    starts = range(0, max(len(rows) - warmup_rows, 0) + 1, max(warmup_rows // 2, 1))
    return np.stack([np.median(rows[start : start + warmup_rows], axis=0) for start in starts])
