"""The evidence for an event: statistics of the newest rows, each sensitive to its own faults.

Each statistic starts from a feature x_i of every input i. Two forms of it become a departure z_i
that is about 1 at the end of the normal range:

    power    x_i is the logarithm of a power. Sessions differ in what is usual, so it is first
             re-based by what the session's warm-up showed, as far as warm-ups can be believed;
             z_i = (x_i − center_i) / spread_i, the spread reaching from the center to the 99 %
             quantile of normal data.
    mean     x_i is a signed mean; z_i = |x_i − center_i| / spread_i, the spread being the 99 %
             quantile of |x_i − center_i|.

A statistic gathers the z_i of all inputs into one value, larger being stranger, with the share
that each input has in it.

| statistic | feature | rows | form | gathered by | what it finds |
|---|---|---|---|---|---|
| BURST | residual power | 4 | power | mean square | impact |
| CHANGE | residual power | 64 | power | mean square | another mechanism |
| VARIANCE | variance | 32 | power | mean square | vibration, a stop, a jam |
| LEVEL | mean | 16 | mean | mean square | load, speed, bias off |
| DRIFT | mean residual | 64 | mean | mean square | a slow change |
| RELATION | variance of the departure from it | 128 | power | largest | friction, a weak motor |
| STILLNESS | minus power of differences | 32 | power | largest | frozen, silent |
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.gathering import MUTE, compiled_gather
from taolora_ros.samples import Float32s, Floats, Ints
from taolora_ros.signals.session import MIN_BETWEEN, shrinkage


class Evidence(enum.IntEnum):
    """Which statistic; the value is its row."""

    BURST = 0
    CHANGE = 1
    VARIANCE = 2
    LEVEL = 3
    DRIFT = 4
    RELATION = 5
    STILLNESS = 6


MEANS = (Evidence.LEVEL, Evidence.DRIFT)  # the statistics of signed means

BURST_ROWS = 4  # or the token, where that is longer
LEVEL_ROWS = 16
SHORT_ROWS = 32
DRIFT_ROWS = 64
LONG_ROWS = 128
TINY = 1e-8  # added to a power, in normal variances, before its logarithm is taken
STILL = 1e-12  # the same for the power of differences, which noise keeps above it
RANGE = 0.99  # quantile of normal data that ends the normal range
MIN_SPREAD = 0.2  # of a power, in e-folds, so that perfectly even noise isn't hair-trigger
MIN_MEAN = 0.01  # the same for a mean, in normal deviations
MIN_CHANGES = 3  # in every 32 normal rows, below which stillness says nothing
MAX_DEPARTURE = 0.25  # power, in normal variances, beyond which the relation explains too little
MAX_BETWEEN = 0.5  # variance of a feature between sessions, over that within, that mutes it
LARGEST = (Evidence.RELATION, Evidence.STILLNESS)  # the statistics of a single input

_IS_MEAN = np.array([evidence in MEANS for evidence in Evidence])
_IS_LARGEST = np.array([evidence in LARGEST for evidence in Evidence])


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

    def departures(self, features: Floats, offset: Floats) -> Floats:
        """Departures z [..., E, I] of features [..., E, I], with the session's offset [E, I]."""
        z, _, _ = _gathered(features, self, offset)
        return z


@dataclass(frozen=True, eq=False)
class SessionFeatures:
    """The features of one normal session that its network had not seen."""

    warmup: Floats  # [m, E, I]
    features: Floats  # [n, E, I] after the warm-up


def open_norm(inputs: int) -> EvidenceNorm:
    """A norm that leaves features as they are, to learn the real one from."""
    zeros, ones = np.zeros((len(Evidence), inputs)), np.ones((len(Evidence), inputs))
    return EvidenceNorm(zeros, zeros, zeros, ones)


def fit_norm(
    sessions: Sequence[SessionFeatures], changes: Ints, *, rebase: bool = True
) -> EvidenceNorm:
    """Learn what is normal.

    Args:
        sessions: normal sessions.
        changes: how often [I] each input changed in the 32 normal rows in which it changed
            least. One that stands still when all is well, being coarse or slow, has no say in
            STILLNESS; one that the others hardly explain has none in RELATION; and one in
            which sessions differ has none in either, since both look for what never was.
        rebase: whether a session's warm-up tells what is usual in it.
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
    shrink[MEANS, :] = 0.0  # they are means of what was re-based already
    if not rebase:
        shrink[:] = 0.0
    rebasing = EvidenceNorm(typical, shrink, typical, np.ones_like(typical))
    rebased = np.concatenate(
        [session.features - rebasing.offset(session.warmup) for session in sessions]
    )
    center = np.median(rebased, axis=0)
    unit = EvidenceNorm(typical, shrink, center, np.ones_like(center))
    departures = unit.departures(rebased, np.zeros_like(center))
    floor = np.full((len(Evidence), 1), MIN_SPREAD)
    floor[MEANS, :] = MIN_MEAN
    spread = np.maximum(np.quantile(departures, RANGE, axis=0), floor)
    stillest = rebased[:, Evidence.STILLNESS].max(axis=0)
    beyond = np.maximum(stillest - center[Evidence.STILLNESS], 1.0)
    center[Evidence.STILLNESS] = stillest
    spread[Evidence.STILLNESS] = np.where(changes < MIN_CHANGES, MUTE, beyond)
    explained = typical[Evidence.RELATION] < np.log(MAX_DEPARTURE)
    spread[Evidence.RELATION] = np.where(explained, spread[Evidence.RELATION], MUTE)
    for evidence in (Evidence.RELATION, Evidence.STILLNESS):
        differs = between[evidence] > MAX_BETWEEN * variance[evidence]
        spread[evidence] = np.where(differs, MUTE, spread[evidence])
    return EvidenceNorm(typical, shrink, center, spread)


@dataclass(frozen=True, eq=False)
class Evidences:
    """All statistics after one token, or after each of many."""

    values: Floats  # [..., E]
    shares: Floats  # [..., E, I]; each row sums to 1, or to 0 where nothing is beyond its center


def least_changes(inputs: Sequence[Float32s]) -> Ints:
    """How often [I] each input of the segments [T, I] changed in the stillest 32 rows."""
    least = []
    for rows in inputs:
        changed = np.cumsum(np.diff(rows, axis=0) != 0.0, axis=0)
        least.append((changed[SHORT_ROWS:] - changed[:-SHORT_ROWS]).min(axis=0))
    fewest: Ints = np.stack(least).min(axis=0).astype(np.int64)
    return fewest


def gather(features: Floats, norm: EvidenceNorm, offset: Floats) -> Evidences:
    """Statistics from features [..., E, I] and the session's offset of them [E, I]."""
    _, shares, values = _gathered(features, norm, offset)
    return Evidences(values, shares)


def _gathered(
    features: Floats, norm: EvidenceNorm, offset: Floats
) -> tuple[Floats, Floats, Floats]:
    """Departures [..., E, I], their shares [..., E, I] and statistics [..., E]."""
    assert features.shape[-2:] == offset.shape == norm.spread.shape, features.shape
    shape = (-1, *norm.spread.shape)
    z, shares = np.empty(features.shape), np.empty(features.shape)
    values = np.empty(features.shape[:-1])
    compiled_gather()(
        features.reshape(shape),
        offset,
        norm.center,
        norm.spread,
        _IS_MEAN,
        _IS_LARGEST,
        z.reshape(shape),
        shares.reshape(shape),
        values.reshape(-1, len(Evidence)),
    )
    return z, shares, values
