"""The threshold that follows from the false alarms an hour that a user accepts.

Alarms come in clusters. Normal scores above a level are grouped into clusters (runs declustering:
a cluster ends when the score stayed below for `merge_s`), and a generalized Pareto tail is fitted
to the clusters' maxima. With λ clusters an hour above the level u, the rate above x is
λ · (1 + ξ (x − u) / σ)^(−1/ξ), so the threshold for f alarms an hour is the x where that is f.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.tails import pareto_shape
from taolora_ros.samples import Floats

LEVEL = 1.3  # score, −log10 p, above which clusters are told apart: p = 0.05
TOP_SHARE = 0.25  # of the clusters that the tail is fitted to
TOP_CLUSTERS = 20  # and at least so many
MAX_SHAPE = 0.25
SUPPORT = 0.1  # alarms expected in the normal data below which the rate is an extrapolation


@dataclass(frozen=True)
class AlarmRate:
    """How often normal data alarm, as a function of the threshold."""

    level: float  # u, the score above which the tail was fitted
    clusters_per_hour: float  # λ, above u
    scale: float  # σ
    shape: float  # ξ
    hours: float  # normal data behind it

    def threshold(self, false_alarms_per_hour: float) -> float:
        """Score at which normal data alarm this often, in h⁻¹; never below the level."""
        ratio = self.clusters_per_hour / false_alarms_per_hour
        if ratio <= 1.0:
            return self.level
        if self.shape == 0.0:
            return float(self.level + self.scale * np.log(ratio))
        return float(self.level + self.scale * (ratio**self.shape - 1.0) / self.shape)

    def supports(self, false_alarms_per_hour: float) -> bool:
        """Whether the normal data were long enough to back this rate without far extrapolation."""
        return self.hours * false_alarms_per_hour >= SUPPORT


def fit_alarm_rate(sessions: list[Floats], hop_s: float, merge_s: float) -> AlarmRate:
    """Fit the rate of alarm clusters to the scores [n] of normal sessions.

    The tail is fitted to the highest clusters alone, since the many low ones say little about
    it. Its shape is kept between that of an exponential, never lighter, and `MAX_SHAPE`.
    """
    clusters = [cluster_maxima(scores, LEVEL, merge_s / hop_s) for scores in sessions]
    maxima = np.sort(np.concatenate(clusters))[::-1]
    hours = sum(len(scores) for scores in sessions) * hop_s / 3600.0
    top = min(max(TOP_CLUSTERS, round(TOP_SHARE * len(maxima))), len(maxima) - 1)
    if top < 2:
        return AlarmRate(LEVEL, 1.0 / hours, 1.0 / np.log(10.0), 0.0, hours)
    level = float(maxima[top])
    excesses = np.sort(maxima[:top] - level)
    shape = min(max(pareto_shape(excesses), 0.0), MAX_SHAPE)
    scale = max(float(excesses.mean()), 0.05) * (1.0 - shape)
    return AlarmRate(level, top / hours, scale, shape, hours)


def cluster_maxima(scores: Floats, level: float, gap: float) -> Floats:
    """Largest score of each cluster above the level; clusters are more than `gap` hops apart."""
    above = np.flatnonzero(scores > level)
    if not len(above):
        return np.empty(0)
    starts = np.flatnonzero(np.diff(above) > max(gap, 1.0)) + 1
    return np.array([scores[cluster].max() for cluster in np.split(above, starts)])
