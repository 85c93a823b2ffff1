"""95 % intervals: of means over series, of shares of events, of differences between methods.

Bootstrap intervals resample whole recordings, 10,000 times with a fixed seed, and take percentiles
widened for few recordings (Hesterberg 2015, 'expanded percentile': as wide as Student's t where
the normal distribution would be too sure).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm, t  # type: ignore[import-untyped]

from taolora_ros.samples import Bools, Floats

CONFIDENCE = 0.95
RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the range that holds it with 95 % confidence."""

    mean: float
    low: float | None  # None where one recording alone leaves the spread unknown
    high: float | None


def bootstrap_mean(values: Sequence[float] | Floats, *, seed: int = 0) -> Interval:
    """The mean over series.

    Args:
        values: `[n]` one figure a series, finite; one at least.
        seed: of the resampling.
    """
    return ratio_of_sums(values, np.ones(len(values)), seed=seed)


def paired_difference(
    one: Sequence[float] | Floats, other: Sequence[float] | Floats, *, seed: int = 0
) -> Interval:
    """The mean of `one` − `other` over the same series; a lower end above 0 says `one` is ahead.

    Args:
        one: `[n]` a method's figures.
        other: `[n]` another's on the same series, in the same order.
        seed: of the resampling.
    """
    return bootstrap_mean(np.subtract(one, other), seed=seed)


def ratio_of_sums(
    numerators: Sequence[float] | Floats,
    denominators: Sequence[float] | Floats,
    *,
    seed: int = 0,
) -> Interval:
    """Σ numerators / Σ denominators, recordings resampled whole.

    Serves recall (found, events), false alarms an hour (alarms, hours) and recall retained (found
    by one, found by the other). A resample whose denominators are all 0 is left out.

    Args:
        numerators: `[n]` one a recording, finite.
        denominators: `[n]` one a recording, finite; their sum above 0.
        seed: of the resampling.
    """
    pairs = np.stack((np.asarray(numerators, float), np.asarray(denominators, float)))
    if not np.isfinite(pairs).all() or not pairs[1].sum() > 0:
        raise ValueError('needed: finite figures with a denominator above 0')
    above, below = pairs.sum(axis=1)
    count = pairs.shape[1]
    if count == 1:
        return Interval(float(above / below), None, None)
    chosen = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    above_each, below_each = pairs[:, chosen].sum(axis=2)
    ratios = above_each[below_each > 0] / below_each[below_each > 0]
    tail = _expanded_tail(count)
    low, high = np.quantile(ratios, (tail, 1.0 - tail))
    return Interval(float(above / below), float(low), float(high))


def share_interval(found: int, of: int) -> Interval:
    """An exact interval of a share of independent events (Clopper and Pearson 1934)."""
    bounds = binomtest(found, of).proportion_ci(CONFIDENCE, method='exact')
    return Interval(found / of, float(bounds.low), float(bounds.high))


def clustered_share(found: Bools, groups: Sequence[str], *, seed: int = 0) -> Interval:
    """A share of events that come several a recording, and so are not independent.

    Each end is the farther of the exact interval's and of the bootstrap's over recordings: where
    all are found, resampling alone would claim certainty.

    Args:
        found: `[E]` whether an event was found; one at least.
        groups: `[E]` the recording it lies in.
        seed: of the resampling.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    of = np.bincount(codes, minlength=len(names)).astype(np.float64)
    hits = np.bincount(codes[found], minlength=len(names)).astype(np.float64)
    resampled = ratio_of_sums(hits, of, seed=seed)
    exact = share_interval(int(np.count_nonzero(found)), len(found))
    ends = [
        end for end in (resampled.low, exact.low, resampled.high, exact.high) if end is not None
    ]
    return Interval(exact.mean, min(ends), max(ends))


def _expanded_tail(count: int) -> float:
    """The share to cut at either end of the resamples of n series."""
    quantile = t.ppf(0.5 + CONFIDENCE / 2, count - 1)
    return float(norm.cdf(-math.sqrt(count / (count - 1)) * quantile))
