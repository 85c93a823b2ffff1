"""The evidence for an event: statistics of the newest rows, each sensitive to its own faults.

Of each input i a feature x_i is the logarithm of a power. Sessions differ in what is usual, so x_i
is first re-based by what the session's warm-up showed, as far as warm-ups can be believed; its
normal range, from the center c_i to the 99 % quantile, then makes it z_i = (x_i − c_i) / spread_i.
A statistic gathers the z_i of all inputs into one value, larger being stranger, with the share
that each input has in it.

    BURST      mean_i z_i                 residual power over the token: an impact
    CHANGE     log mean_i max(z_i, 0)²    residual power over 32 rows: a changed mechanism
    LEVEL      log mean_i max(z_i, 0)²    squared mean over 16 rows: load, speed or bias off
    RELATION   max_i z_i                  variance of the departure from the relation over 128
                                          rows: friction, a weak motor, a drifting sensor
    STILLNESS  max_i z_i                  minus log power of differences over 32 rows, in
                                          e-folds beyond the stillest normal: frozen, silent
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.ingest.windows import RingWindow
from taolora_ros.samples import Float32s, Floats, Ints
from taolora_ros.signals.session import MIN_BETWEEN, shrinkage


class Evidence(enum.IntEnum):
    """Which statistic; the value is its row."""

    BURST = 0
    CHANGE = 1
    LEVEL = 2
    RELATION = 3
    STILLNESS = 4


LEVEL_ROWS = 16
SHORT_ROWS = 32
LONG_ROWS = 128
TINY = 1e-8  # added to a power, in normal variances, before its logarithm is taken
STILL = 1e-12  # the same for the power of differences, which noise keeps above it
MIN_SPREAD = 0.2  # of a feature, so that a channel of perfectly even noise isn't hair-trigger
MIN_CHANGES = 3  # in every 32 normal rows, below which stillness says nothing
MAX_DEPARTURE = 0.25  # power, in normal variances, beyond which the relation explains too little
MAX_BETWEEN = 0.5  # variance of a feature between sessions, over that within, that mutes it
MUTE = 1e9  # spread of an input that has no say in a statistic
QUIET = 1e-3  # mean squared z below which CHANGE and LEVEL say nothing


@dataclass(frozen=True, eq=False)
class EvidenceNorm:
    """What is normal for each feature."""

    typical: Floats  # [E, I] median over sessions
    shrink: Floats  # [E, I] share of a warm-up's departure from it that is believed, 0 to 1
    center: Floats  # [E, I] of the re-based feature
    spread: Floats  # [E, I] from the center to the end of the normal range

    def offset(self, warmup: Floats) -> Floats:
        """How far [E, I] a session's features lie from typical, by its warm-up [n, E, I].

        Only the later half of the warm-up is used, when the windows are fuller.
        """
        median: Floats = np.median(warmup[len(warmup) // 2 :], axis=0)
        return self.shrink * (median - self.typical)


@dataclass(frozen=True, eq=False)
class SessionFeatures:
    """The features of one normal session that its network had not seen."""

    warmup: Floats  # [m, E, I]
    features: Floats  # [n, E, I] after the warm-up


def open_norm(inputs: int) -> EvidenceNorm:
    """A norm that leaves features as they are, to learn the real one from."""
    zeros, ones = np.zeros((len(Evidence), inputs)), np.ones((len(Evidence), inputs))
    return EvidenceNorm(zeros, zeros, zeros, ones)


def fit_norm(sessions: Sequence[SessionFeatures], changes: Ints) -> EvidenceNorm:
    """Learn what is normal.

    Args:
        sessions: normal sessions.
        changes: how often [I] each input changed in the 32 normal rows in which it changed
            least. One that stands still when all is well, being coarse or slow, has no say in
            STILLNESS; one that the others hardly explain has none in RELATION; and one in
            which sessions differ has none in either, since both look for what never was.
    """
    medians = [np.median(session.features, axis=0) for session in sessions]
    typical = np.median(np.stack(medians), axis=0)
    between = np.var(np.stack(medians), axis=0)
    bare = EvidenceNorm(typical, np.ones_like(typical), typical, np.ones_like(typical))
    starts = [bare.offset(session.warmup) + typical for session in sessions]
    within = np.mean(
        [(start - own) ** 2 for start, own in zip(starts, medians, strict=True)], axis=0
    )
    variance = np.mean([session.features.var(axis=0) for session in sessions], axis=0)
    shrink = shrinkage(medians, within, MIN_BETWEEN**2 * variance)
    rebasing = EvidenceNorm(typical, shrink, typical, np.ones_like(typical))
    rebased = np.concatenate(
        [session.features - rebasing.offset(session.warmup) for session in sessions]
    )
    center = np.median(rebased, axis=0)
    spread = np.maximum(np.quantile(rebased, 0.99, axis=0) - center, MIN_SPREAD)
    center[Evidence.STILLNESS] = rebased[:, Evidence.STILLNESS].max(axis=0)
    spread[Evidence.STILLNESS] = np.where(changes < MIN_CHANGES, MUTE, 1.0)
    explained = typical[Evidence.RELATION] < np.log(MAX_DEPARTURE)
    spread[Evidence.RELATION] = np.where(explained, spread[Evidence.RELATION], MUTE)
    for evidence in (Evidence.RELATION, Evidence.STILLNESS):
        differs = between[evidence] > MAX_BETWEEN * variance[evidence]
        spread[evidence] = np.where(differs, MUTE, spread[evidence])
    return EvidenceNorm(typical, shrink, center, spread)


@dataclass(frozen=True, eq=False)
class Evidences:
    """All statistics after one token."""

    values: Floats  # [E]
    shares: Floats  # [E, I]; each row sums to 1, or to 0 where nothing is beyond its center


class EvidenceWindows:
    """Streams tokens through the windows of all features."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._rows = RingWindow(SHORT_ROWS + 1, inputs)
        self._powers = RingWindow(SHORT_ROWS, inputs)
        self._departures = RingWindow(LONG_ROWS, inputs)

    def step(self, patch: Floats, residual: Floats, departure: Floats) -> Floats:
        """Features [E, I] after a token.

        Args:
            patch: re-based rows [P, I].
            residual: what the network's prediction left of them [P, I].
            departure: what the relation left of the channels [P, C].
        """
        self._rows.extend(patch)
        self._powers.extend(residual**2)
        missing = self._inputs - departure.shape[1]
        self._departures.extend(np.pad(departure, ((0, 0), (0, missing))))
        return np.stack(
            [
                np.log(self._powers.view(len(patch)).mean(axis=0) + TINY),
                np.log(self._powers.view(SHORT_ROWS).mean(axis=0) + TINY),
                np.log(self._rows.view(LEVEL_ROWS).mean(axis=0) ** 2 + TINY),
                np.log(self._departures.view(LONG_ROWS).var(axis=0) + TINY),
                stillness(self._rows.view(SHORT_ROWS + 1)),
            ]
        )

    def clear(self) -> None:
        """Forget the stream."""
        self._rows.clear()
        self._powers.clear()
        self._departures.clear()


def least_changes(inputs: Sequence[Float32s]) -> Ints:
    """How often [I] each input of the segments [T, I] changed in the stillest 32 rows."""
    least = []
    for rows in inputs:
        changed = np.cumsum(np.diff(rows, axis=0) != 0.0, axis=0)
        least.append((changed[SHORT_ROWS:] - changed[:-SHORT_ROWS]).min(axis=0))
    fewest: Ints = np.stack(least).min(axis=0).astype(np.int64)
    return fewest


def stillness(rows: Floats) -> Floats:
    """Minus the log power [I] of the first differences of rows [n, I]; 0 for a single row."""
    if len(rows) < 2:
        return np.zeros(rows.shape[1])
    power: Floats = np.mean(np.diff(rows, axis=0) ** 2, axis=0)
    return -np.log(power + STILL)


def gather(features: Floats, norm: EvidenceNorm, offset: Floats) -> Evidences:
    """Statistics from features [E, I] and the session's offset of them [E, I]."""
    z = (features - offset - norm.center) / norm.spread
    above = np.maximum(z, 0.0) ** 2
    values = np.empty(len(Evidence))
    values[Evidence.BURST] = z[Evidence.BURST].mean()
    for evidence in (Evidence.CHANGE, Evidence.LEVEL):
        values[evidence] = np.log(above[evidence].mean() + QUIET)
    for evidence in (Evidence.RELATION, Evidence.STILLNESS):
        values[evidence] = z[evidence].max()
    totals = above.sum(axis=1, keepdims=True)
    return Evidences(values, above / np.where(totals > 0, totals, 1.0))
