"""The upper tail of a statistic on normal data, as probabilities far beyond what was seen.

Peaks over threshold: above a high quantile the excesses follow a generalized Pareto law
(Pickands 1975; Balkema and de Haan 1974). Its shape ξ is given, not fitted: a few minutes of
normal data say little about it, and a heavy tail keeps one extrapolated statistic from outvoting
all others. Its scale σ comes from the median excess, which a few odd stretches in the normal
recordings can't move: of the recordings that people call normal, some hold a stuck sensor, a
change of set point or a stop, and moments of their excesses would raise every threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from taolora_ros.errors import CalibrationError
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
        """Natural logarithm [n] of the probability that a normal value is as large.

        Above `start`: log share − log(1 + ξ (x − start) / σ) / ξ.
        """
        excess = np.maximum(values - self.start, 0.0) / self.scale
        if self.shape > 0.0:
            excess = np.log1p(self.shape * excess) / self.shape
        below = np.log1p(-np.interp(values, *self._steps))
        survival: Floats = np.where(values > self.start, np.log(self.share) - excess, below)
        return survival


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
