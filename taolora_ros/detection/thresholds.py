"""The threshold that follows from the false alarms an hour that a user accepts.

Peaks over threshold: alarms come in clusters, so what counts are the peaks of the normal scores,
each the largest within the time that evidence looks back. Above the level u that k of them exceed
in T hours, excesses are taken for exponential with scale σ: the rate of peaks above x is
k/T · exp(−(x − u)/σ), and the threshold for f alarms an hour is u + σ ln(k / (T f)).

The scale comes from the median excess, which a few odd stretches in the normal recordings can't
move. The median of k excesses is off by a third at k = 20, and a threshold hours away multiplies
that, so it is averaged with the usual scale, which counts for as many peaks. It never exceeds the
usual one: among few sessions odd ones would carry the threshold beyond what a fault can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.tails import pareto_scale
from taolora_ros.samples import Floats

PEAKS = 20  # k
SHARE = 6  # one peak in so many is above the level at most
USUAL_SCALE = 0.32  # σ in decades where little is known, and the most that is believed
USUAL_PEAKS = 20  # that the usual scale counts for
SUPPORT = 0.1  # alarms expected in the normal data below which the rate is an extrapolation


@dataclass(frozen=True)
class AlarmRate:
    """How often normal data alarm, as a function of the threshold."""

    level: float  # u, the score above which the tail was fitted
    peaks_per_hour: float  # k/T, above u
    scale: float  # σ
    hours: float  # T, normal data behind it

    def threshold(self, false_alarms_per_hour: float) -> float:
        """Score at which normal data alarm this often, in h⁻¹; never below the level."""
        ratio = self.peaks_per_hour / false_alarms_per_hour
        return float(self.level + self.scale * np.log(max(ratio, 1.0)))

    def supports(self, false_alarms_per_hour: float) -> bool:
        """Whether the normal data were long enough to back this rate without far extrapolation."""
        return self.hours * false_alarms_per_hour >= SUPPORT


def fit_alarm_rate(sessions: Sequence[Floats], hop_s: float, gap: int) -> AlarmRate:
    """Fit the rate of alarms to normal scores.

    Args:
        sessions: scores [n] of each session, one a hop; a hop at least.
        hop_s: time between hops, in s.
        gap: hops within which only the largest score counts.
    """
    peaks = np.sort(np.concatenate([separate_peaks(scores, gap) for scores in sessions]))[::-1]
    hours = sum(len(scores) for scores in sessions) * hop_s / 3600.0
    count = max(1, min(PEAKS, len(peaks) // SHARE))
    level = float(peaks[min(count, len(peaks) - 1)])
    own = min(pareto_scale(peaks[:count] - level, 0.0), USUAL_SCALE)
    trust = count / (count + USUAL_PEAKS)
    return AlarmRate(level, count / hours, trust * own + (1.0 - trust) * USUAL_SCALE, hours)


def separate_peaks(scores: Floats, gap: int) -> Floats:
    """The largest of the scores [n], the largest farther than `gap` hops from it, and so on."""
    peaks = []
    is_free = np.ones(len(scores), dtype=np.bool_)
    for hop in np.argsort(-scores, kind='stable').tolist():
        if is_free[hop]:
            peaks.append(scores[hop])
            is_free[max(0, hop - gap) : hop + gap + 1] = False
    return np.array(peaks)
