"""The upper tail of a statistic on normal data, as probabilities far beyond what was seen.

Peaks over threshold: above a high quantile the excesses follow a generalized Pareto law
(Pickands 1975; Balkema and de Haan 1974). Its shape ξ is given, not fitted: a few minutes of
normal data say little about it, and a heavy tail keeps one extrapolated statistic from outvoting
all others. Its scale σ comes from the median excess, which a few odd stretches in the normal
recordings can't move: of the recordings that people call normal, some hold a stuck sensor, a
change of set point or a stop, and moments of their excesses would raise every threshold.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import types

from taolora_ros.errors import CalibrationError
from taolora_ros.kernels.jit import cached_jit_of, compact, formula, reads, source_stamp, writes
from taolora_ros.samples import Floats

HEAVY = 0.25  # ξ of a single statistic
BODY_POINTS = 129
MIN_HOPS = 100


@dataclass(frozen=True, eq=False)
class Tail:
    """Survival function of one statistic: empirical below `start`, Pareto above."""

    body: Floats  # [BODY_POINTS] quantiles at evenly spaced levels from 0 to 1 − share
    share: float  # probability of exceeding `start`
    scale: float  # σ
    shape: float  # ξ; 0 is an exponential tail

    @property
    def start(self) -> float:
        """Where the Pareto tail begins."""
        return float(self.body[-1])

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        """Distinct points of the body, and the probability of staying below each.

        Where many normal values are equal, a value that equals them is as usual as they are.
        """
        levels = np.linspace(0.0, 1.0 - self.share, len(self.body), dtype=np.float64)
        points, first = np.unique(self.body, return_index=True)
        return points, levels[first]

    def log_survival(self, values: Floats) -> Floats:
        """Natural logarithm [n] of the probability that a normal value is as large."""
        return log_survivals(values[:, None], tabulate((self,)))[:, 0]


Laws = tuple[Floats, Floats, Floats]  # as compiled code takes them, see `tabulate`
LAWS = types.Tuple((reads(2), reads(2), reads(2)))


def tabulate(tails: Sequence[Tail]) -> Laws:
    """Tails side by side, as compiled code reads them.

    Returns:
        Of each of K tails, the distinct points of its body [K, B], followed by infinity; the
        probability [K, B] of staying below each, the last one going on; and its start, share,
        scale and shape [K, 4].
    """
    width = max(len(tail.body) for tail in tails) + 1
    points, levels = np.full((len(tails), width), np.inf), np.empty((len(tails), width))
    for k, tail in enumerate(tails):
        own_points, own_levels = tail._steps
        points[k, : len(own_points)] = own_points
        levels[k] = own_levels[-1]
        levels[k, : len(own_levels)] = own_levels
    numbers = [[tail.start, tail.share, tail.scale, tail.shape] for tail in tails]
    return points, levels, np.array(numbers, dtype=np.float64)


def log_survivals(values: Floats, laws: Laws) -> Floats:
    """Logarithm [n, K] of the probability that a normal value is as large as [n, K]."""
    logs = np.empty(values.shape)
    _survive()(np.ascontiguousarray(values), laws, logs)
    return logs


@functools.cache
def _survive() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit_of(reads(2), LAWS, writes(2))
    def survive(values, laws, logs):  # type: ignore[no-untyped-def]
        compact()
        for n in range(len(values)):
            for k in range(values.shape[1]):
                logs[n, k] = log_survival(values[n, k], laws, k)
        return stamp

    return survive


@formula
def log_survival(value: float, laws: Laws, k: int) -> float:
    """Natural logarithm of the probability that a normal value of tail k is as large.

    Above `start`: log share − log(1 + ξ (x − start) / σ) / ξ.
    """
    points, levels, numbers = laws
    start, share, scale, shape = numbers[k, 0], numbers[k, 1], numbers[k, 2], numbers[k, 3]
    if value > start:
        excess = (value - start) / scale
        if shape > 0.0:
            excess = np.log1p(shape * excess) / shape
        return float(np.log(share) - excess)
    return float(np.log1p(-_interpolated(value, points[k], levels[k])))


@formula
def _interpolated(value: float, points: Floats, levels: Floats) -> float:
    """Level [B] at a value, between rising points [B] of which the last lies beyond it."""
    compact()
    value = np.maximum(value, points[0])
    low, high = 0, len(points) - 1  # points[low] <= value < points[high]
    while high - low > 1:
        middle = (low + high) // 2
        if points[middle] <= value:
            low = middle
        else:
            high = middle
    slope = (levels[high] - levels[low]) / (points[high] - points[low])
    level: float = levels[low] + slope * (value - points[low])
    return level


def fit_tail(
    values: Floats, *, share: float = 0.05, shape: float = HEAVY, min_scale: float = 1e-6
) -> Tail:
    """Fit a tail to normal values [n].

    Args:
        values: the statistic on normal data.
        share: part of the values that the tail is fitted to.
        shape: ξ.
        min_scale: least σ, for a statistic that hardly varied in normal data.

    Raises:
        CalibrationError: there are too few values.
    """
    values = np.sort(np.asarray(values, dtype=float))
    if len(values) < MIN_HOPS:
        raise CalibrationError(
            f'{len(values)} normal hops are too few to fit a threshold; record at least '
            f'{MIN_HOPS} hops'
        )
    body = np.asarray(np.quantile(values, np.linspace(0.0, 1.0 - share, BODY_POINTS)), dtype=float)
    excesses = values[values > body[-1]] - body[-1]
    return Tail(body, share, max(pareto_scale(excesses, shape), min_scale), shape)


def pareto_scale(excesses: Floats, shape: float) -> float:
    """σ of a generalized Pareto law of this shape, from the median of excesses [n]; 0 for none.

    Half of the law lies below σ (2^ξ − 1) / ξ, or σ ln 2 for ξ = 0.
    """
    if not len(excesses):
        return 0.0
    half = np.expm1(shape * np.log(2.0)) / shape if shape > 0.0 else np.log(2.0)
    return float(np.median(excesses) / half)
