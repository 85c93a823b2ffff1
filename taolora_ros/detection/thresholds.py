"""The threshold that follows from the false alarms an hour that a user accepts.

Alarms come in clusters. Normal scores above a level are grouped into clusters (runs declustering:
a cluster ends when the score stayed below for `merge_s`), and a generalized Pareto tail is fitted
to the clusters' maxima. With λ clusters an hour above the level u, the rate above x is
λ · (1 + ξ (x − u) / σ)^(−1/ξ), so the threshold for f alarms an hour is the x where that is f.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Floats

LEVEL = 1.3  # score, −log10 p, above which clusters are counted: p = 0.05
SUPPORT = 0.1  # alarms expected in the normal data below which the rate is an extrapolation


@dataclass(frozen=True)
class AlarmRate:
    """How often normal data alarm, as a function of the threshold."""

    level: float  # u, the score above which clusters were counted
    clusters_per_hour: float  # λ
    scale: float  # σ
    shape: float  # ξ
    hours: float  # normal data behind it

    def threshold(self, false_alarms_per_hour: float) -> float:
        """Score at which normal data alarm this often, in h⁻¹; never below the level."""
        ratio = self.clusters_per_hour / false_alarms_per_hour
        if ratio <= 1.0:
            return self.level
        return float(self.level + self.scale * (ratio**self.shape - 1.0) / self.shape)

    def supports(self, false_alarms_per_hour: float) -> bool:
        """Whether the normal data were long enough to back this rate without far extrapolation."""
        return self.hours * false_alarms_per_hour >= SUPPORT


def fit_alarm_rate(sessions: list[Floats], hop_s: float, merge_s: float) -> AlarmRate:
    """Fit the rate of alarm clusters to the scores [n] of normal sessions.

    Scores of normal hops are nearly exponential by construction (−log10 p), so ξ is that of an
    exponential, with a small heaviness for sessions unlike those seen.
    """
    shape = 0.1
    maxima = np.concatenate(
        [cluster_maxima(scores, LEVEL, merge_s / hop_s) for scores in sessions]
    )
    hours = sum(len(scores) for scores in sessions) * hop_s / 3600.0
    excess = float(np.mean(maxima - LEVEL)) if len(maxima) else 1.0 / np.log(10.0)
    return AlarmRate(
        level=LEVEL,
        clusters_per_hour=max(len(maxima), 1) / hours,
        scale=max(excess, 0.1) * (1.0 - shape),
        shape=shape,
        hours=hours,
    )


def cluster_maxima(scores: Floats, level: float, gap: float) -> Floats:
    """Largest score of each cluster above the level; clusters are more than `gap` hops apart."""
    above = np.flatnonzero(scores > level)
    if not len(above):
        return np.empty(0)
    starts = np.flatnonzero(np.diff(above) > max(gap, 1.0)) + 1
    return np.array([scores[cluster].max() for cluster in np.split(above, starts)])
