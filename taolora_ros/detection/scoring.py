"""From evidence to one calibrated score.

Each statistic is turned into a p-value by its tail on held-out normal data, and the p-values are
combined to S = sqrt(Σ (log p)²). That lies between Fisher's sum, in which one strong statistic
drowns among quiet ones, and the smallest p-value, in which several middling ones count for
nothing. The statistics depend on each other, so S is read off no table: its own tail on normal
data gives the p-value of the hop, and the score is −log10 of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.evidence import Evidences
from taolora_ros.detection.tails import Tail
from taolora_ros.samples import Floats


@dataclass(frozen=True, eq=False)
class ScoreCalibration:
    """What turns evidence into a p-value. E statistics."""

    tails: tuple[Tail, ...]  # one a statistic
    combined: Tail


@dataclass(frozen=True, eq=False)
class Score:
    """One hop's score."""

    value: float  # −log10 p
    p_value: float
    shares: Floats  # [I] share of each input, sums to 1


def score(evidences: Evidences, calibration: ScoreCalibration) -> Score:
    """Score one hop."""
    surprises = surprise(evidences.values, calibration.tails)
    log_p = calibration.combined.log_survival(combine(surprises))
    shares = surprises**2 @ evidences.shares
    total = shares.sum()
    even = np.full(len(shares), 1.0 / len(shares))
    return Score(
        value=-log_p / np.log(10.0),
        p_value=float(np.exp(log_p)),
        shares=shares / total if total > 0 else even,
    )


def combine(surprises: Floats) -> float:
    """S, from −log p [E] of each statistic."""
    return float(np.sqrt(np.sum(surprises**2)))


def surprise(values: Floats, tails: tuple[Tail, ...]) -> Floats:
    """−log p [E] of each statistic."""
    return np.array([-tail.log_survival(value) for tail, value in zip(tails, values, strict=True)])
