"""The upper tail of a statistic on normal data, as probabilities far beyond what was seen.

Peaks over threshold: above a high quantile the excesses follow a generalized Pareto law
(Pickands 1975; Balkema and de Haan 1974). Its shape ξ isn't fitted freely: a few minutes of
normal data say little about it, and the next session differs from all of them. So ξ is at least
`MIN_SHAPE`, a heavy tail, which keeps one extrapolated statistic from outvoting all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Floats

MIN_SHAPE = 0.25
MAX_SHAPE = 0.9  # a mean exists below 1
BODY_POINTS = 129


@dataclass(frozen=True, eq=False)
class Tail:
    """Survival function of one statistic: empirical below `start`, Pareto above."""

    body: Floats  # [BODY_POINTS] quantiles at evenly spaced levels from 0 to 1 − share
    share: float  # probability of exceeding `start`
    scale: float  # σ
    shape: float  # ξ

    @property
    def start(self) -> float:
        """Where the Pareto tail begins."""
        return float(self.body[-1])

    @cached_property
    def _levels(self) -> Floats:
        """Probability [BODY_POINTS] of staying below each point of the body."""
        levels: Floats = np.linspace(0.0, 1.0 - self.share, len(self.body), dtype=np.float64)
        return levels

    def log_survival(self, value: float) -> float:
        """Natural logarithm of the probability that a normal value is as large.

        Above `start`: log share − log(1 + ξ (x − start) / σ) / ξ.
        """
        excess = value - self.start
        if excess > 0.0:
            return float(
                np.log(self.share) - np.log1p(self.shape * excess / self.scale) / self.shape
            )
        below = np.interp(value, self.body, self._levels)
        return float(np.log1p(-below))


def fit_tail(
    values: Floats, *, share: float = 0.05, min_shape: float = MIN_SHAPE, min_scale: float = 1e-6
) -> Tail:
    """Fit a tail to normal values [n].

    The shape is Hosking and Wallis's (1987) estimate by probability-weighted moments, kept
    between `min_shape` and `MAX_SHAPE`; the scale matches the mean excess, σ = mean · (1 − ξ).

    Args:
        values: the statistic on normal data.
        share: part of the values that the tail is fitted to.
        min_shape: least ξ.
        min_scale: least σ, for a statistic that hardly varied in normal data.

    Raises:
        CalibrationError: there are too few values, or they don't vary.
    """
    values = np.sort(np.asarray(values, dtype=float))
    if len(values) < 100:
        raise CalibrationError(
            f'{len(values)} normal hops are too few to fit a threshold; record at least 100 hops'
        )
    body = np.asarray(np.quantile(values, np.linspace(0.0, 1.0 - share, BODY_POINTS)), dtype=float)
    excesses = values[values > body[-1]] - body[-1]
    mean = float(excesses.mean()) if len(excesses) else 0.0
    if mean <= 0.0:
        mean = max(1e-6, 1e-3 * float(np.ptp(values)))
    shape = min(max(pareto_shape(excesses), min_shape), MAX_SHAPE)
    return Tail(body, share, max(mean * (1.0 - shape), min_scale), shape)


def pareto_shape(excesses: Floats) -> float:
    """Shape of sorted excesses [n]; 0 for fewer than ten.

    ξ = 2 − a0 / (a0 − 2 a1), with a1 the mean of (1 − rank) · excess (Hosking and Wallis 1987).
    """
    if len(excesses) < 10:
        return 0.0
    ranks = (np.arange(1, len(excesses) + 1) - 0.35) / len(excesses)
    a0 = float(excesses.mean())
    a1 = float(np.mean((1.0 - ranks) * excesses))
    spread = a0 - 2.0 * a1
    return 2.0 - a0 / spread if spread > 0 else MAX_SHAPE
