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

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.evidence import Evidence, Evidences
from taolora_ros.detection.tails import LAWS, Laws, Tail, log_survival, log_survivals, tabulate
from taolora_ros.kernels.jit import cached_jit_of, compact, formula, reads, source_stamp, writes
from taolora_ros.samples import Floats

LASTING = (Evidence.CHANGE, Evidence.VARIANCE, Evidence.LEVEL, Evidence.DRIFT)
PAIR = 0.75  # weight of the sum of two: a change that two statistics show counts half more

_IS_LASTING = tuple(evidence in LASTING for evidence in Evidence)
_DECADE = math.log(10.0)


@dataclass(frozen=True, eq=False)
class ScoreCalibration:
    """What turns evidence into a p-value. E statistics."""

    tails: tuple[Tail, ...]  # one a statistic
    combined: Tail

    @functools.cached_property
    def laws(self) -> tuple[Laws, Laws]:
        """Tables of `tails` and of `combined`, as compiled code reads them."""
        return tabulate(self.tails), tabulate((self.combined,))


@dataclass(frozen=True, eq=False)
class Score:
    """One hop's score."""

    value: float  # S / ln 10, in decades
    p_value: float
    shares: Floats  # [I] share of each input, sums to 1


def score(evidences: Evidences, calibration: ScoreCalibration) -> Score:
    """Score one hop."""
    surprises, shares = np.empty(len(Evidence)), np.empty(evidences.shares.shape[1])
    combined, log_p, _ = compiled_score()(
        evidences.values, evidences.shares, *calibration.laws, surprises, shares
    )
    return Score(value=combined / _DECADE, p_value=math.exp(log_p), shares=shares)


def combine(surprises: Floats) -> Floats:
    """S [n], from −log p [n, E] of each statistic."""
    combined = np.empty(len(surprises))
    _combine()(np.ascontiguousarray(surprises), combined)
    return combined


def decades(combined: Floats) -> Floats:
    """Scores [n] of S [n]."""
    scores: Floats = combined / _DECADE
    return scores


def surprise(values: Floats, tails: tuple[Tail, ...]) -> Floats:
    """−log p [n, E] of statistics [n, E]."""
    return -log_survivals(values, tabulate(tails))


@functools.cache
def compiled_score() -> Callable[..., tuple[float, float, int]]:
    """Compile, or load, what `score` runs."""
    stamp = source_stamp()

    @cached_jit_of(reads(1), reads(2), LAWS, LAWS, writes(1), writes(1))
    def score(  # type: ignore[no-untyped-def]
        values, evidence_shares, laws, combined_law, surprises, shares
    ):
        compact()
        for e in range(len(surprises)):
            surprises[e] = -log_survival(values[e], laws, e)
        total = 0.0
        for i in range(len(shares)):
            shares[i] = 0.0
            for e in range(len(surprises)):
                shares[i] += surprises[e] * evidence_shares[e, i]
            total += shares[i]
        for i in range(len(shares)):
            shares[i] = shares[i] / total if total > 0.0 else 1.0 / len(shares)
        combined = _combined(surprises)
        return combined, log_survival(combined, combined_law, 0), stamp

    return score


@functools.cache
def _combine() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit_of(reads(2), writes(1))
    def combine(surprises, combined):  # type: ignore[no-untyped-def]
        compact()
        for n in range(len(surprises)):
            combined[n] = _combined(surprises[n])
        return stamp

    return combine


@formula
def _combined(surprises: Floats) -> float:
    """S of one hop, from −log p [E] of each statistic."""
    compact()
    largest = second = other = -np.inf
    for e in range(len(surprises)):
        if _IS_LASTING[e]:
            second = np.maximum(second, np.minimum(largest, surprises[e]))
            largest = np.maximum(largest, surprises[e])
        else:
            other = np.maximum(other, surprises[e])
    return float(np.maximum(PAIR * (largest + second), other))
