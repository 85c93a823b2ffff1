"""From evidence to one calibrated score.

Each statistic is turned into a p-value by its tail on held-out normal data. Four statistics look
for a change that lasts; such a change shows in several of them, and the two smallest p-values are
multiplied (the rank truncated product, Dudbridge and Koeleman 2003). The others see what no other
sees, so the strongest of them stands for all:

    S = max(¾ · Σ_{two largest lasting} −log p, max_other −log p)

The score is S in decades, S / ln 10. The statistics depend on each other, so the p-value of the
hop is read off no table: S has a tail of its own on normal data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.evidence import Evidence, Evidences
from taolora_ros.detection.tails import Tail
from taolora_ros.samples import Floats

LASTING = (Evidence.CHANGE, Evidence.VARIANCE, Evidence.LEVEL, Evidence.DRIFT)
OTHER = tuple(evidence for evidence in Evidence if evidence not in LASTING)
PAIR = 0.75  # weight of the sum of two: a change that two statistics show counts half more


@dataclass(frozen=True, eq=False)
class ScoreCalibration:
    """What turns evidence into a p-value. E statistics."""

    tails: tuple[Tail, ...]  # one a statistic
    combined: Tail


@dataclass(frozen=True, eq=False)
class Score:
    """One hop's score."""

    value: float  # S / ln 10, in decades
    p_value: float
    shares: Floats  # [I] share of each input, sums to 1


def score(evidences: Evidences, calibration: ScoreCalibration) -> Score:
    """Score one hop."""
    surprises = surprise(evidences.values[None], calibration.tails)
    combined = combine(surprises)
    shares = surprises[0] @ evidences.shares
    total = shares.sum()
    even = np.full(len(shares), 1.0 / len(shares))
    return Score(
        value=float(decades(combined)[0]),
        p_value=float(np.exp(calibration.combined.log_survival(combined)[0])),
        shares=shares / total if total > 0 else even,
    )


def combine(surprises: Floats) -> Floats:
    """S [n], from −log p [n, E] of each statistic."""
    lasting = np.sort(surprises[:, LASTING], axis=-1)[:, -2:].sum(axis=-1)
    combined: Floats = np.maximum(PAIR * lasting, surprises[:, OTHER].max(axis=-1))
    return combined


def decades(combined: Floats) -> Floats:
    """Scores [n] of S [n]."""
    scores: Floats = combined / np.log(10.0)
    return scores


def surprise(values: Floats, tails: tuple[Tail, ...]) -> Floats:
    """−log p [n, E] of statistics [n, E]."""
    columns = [-tail.log_survival(column) for tail, column in zip(tails, values.T, strict=True)]
    return np.stack(columns, axis=-1)
