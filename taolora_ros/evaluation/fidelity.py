"""Quantization fidelity: what 4 bits changed, against the FP32 twin on the same recordings.

Both ran with the same calibration and the same threshold. Scores are decades of evidence, and so
are their differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import Bools, Floats


@dataclass(frozen=True, slots=True, eq=False)
class ScorePairs:
    """The H hops that both precisions watched."""

    scores: Floats  # [H] at 4 bits
    twin: Floats  # [H] of the FP32 twin
    in_alarm: Bools  # [H] whether the score at 4 bits reaches the threshold
    twin_in_alarm: Bools  # [H]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far 4 bits and FP32 agree; event counts are None without labels."""

    hops: int
    score_correlation: float | None  # Pearson's; None where a score doesn't vary
    largest_difference: float | None  # of scores, in decades
    p95_difference: float | None  # below which 95 % of the differences lie
    alarms_both: int  # hops in alarm at both precisions
    alarms_int4_alone: int
    alarms_fp32_alone: int
    events: int | None
    events_both: int | None  # true events found at both precisions
    events_int4_alone: int | None
    events_fp32_alone: int | None

    @property
    def alarm_agreement(self) -> float | None:
        """Share of the hops that are in alarm at both precisions or at neither."""
        if not self.hops:
            return None
        return 1.0 - (self.alarms_int4_alone + self.alarms_fp32_alone) / self.hops


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """One recording at both precisions."""

    int4: RunResult
    fp32: RunResult


def has_twin(model: DetectorModel) -> bool:
    """Whether the artifact holds the FP32 weights beside those of 4 bits."""
    return all(layer.dense is not None for layer in model.watch.layers().values())


def score_pairs(twins: Sequence[Twins]) -> ScorePairs:
    """The scores of both precisions, hop by hop.

    Raises:
        ValueError: the two runs of a pair are not of the same hops.
    """
    parts = [_pairs(pair.int4.trace, pair.fp32.trace) for pair in twins]
    return ScorePairs(
        scores=np.concatenate([part.scores for part in parts]),
        twin=np.concatenate([part.twin for part in parts]),
        in_alarm=np.concatenate([part.in_alarm for part in parts]),
        twin_in_alarm=np.concatenate([part.twin_in_alarm for part in parts]),
    )


def _pairs(trace: Trace, twin: Trace) -> ScorePairs:
    if not np.array_equal(trace.first_ns, twin.first_ns):
        raise ValueError('4 bits and FP32 were not run on the same recording')
    both = trace.is_watching & twin.is_watching
    scores, twin_scores = trace.scores[both], twin.scores[both]
    return ScorePairs(
        scores, twin_scores, scores >= trace.thresholds[both], twin_scores >= twin.thresholds[both]
    )


def compare(twins: Sequence[Twins]) -> Fidelity:
    """Compare the two precisions over one recording or several.

    Args:
        twins: at least one; events are counted over those with labels.

    Raises:
        ValueError: the two runs of a pair are not of the same hops.
    """
    pairs = score_pairs(twins)
    difference = np.abs(pairs.scores - pairs.twin)
    varies = len(difference) and np.ptp(pairs.scores) > 0 and np.ptp(pairs.twin) > 0
    verdicts = [verdict for pair in twins for verdict in _verdicts(pair)]
    has_labels = any(pair.int4.truths is not None for pair in twins)
    return Fidelity(
        hops=len(difference),
        score_correlation=(float(np.corrcoef(pairs.scores, pairs.twin)[0, 1]) if varies else None),
        largest_difference=float(difference.max()) if len(difference) else None,
        p95_difference=float(np.quantile(difference, 0.95)) if len(difference) else None,
        alarms_both=int(np.count_nonzero(pairs.in_alarm & pairs.twin_in_alarm)),
        alarms_int4_alone=int(np.count_nonzero(pairs.in_alarm & ~pairs.twin_in_alarm)),
        alarms_fp32_alone=int(np.count_nonzero(~pairs.in_alarm & pairs.twin_in_alarm)),
        events=len(verdicts) if has_labels else None,
        events_both=verdicts.count((True, True)) if has_labels else None,
        events_int4_alone=verdicts.count((True, False)) if has_labels else None,
        events_fp32_alone=verdicts.count((False, True)) if has_labels else None,
    )


def _verdicts(pair: Twins) -> list[tuple[bool, bool]]:
    """Whether each true event was found, at 4 bits and by the twin."""
    if pair.int4.matching is None or pair.fp32.matching is None:
        return []
    both = zip(pair.int4.matching.matches, pair.fp32.matching.matches, strict=True)
    return [(one.is_found, other.is_found) for one, other in both]


def twins_to_mapping(twins: Sequence[Twins]) -> dict[str, Any]:
    """What the FP32 twin found, and the fidelity, as plain data; None where it didn't run."""
    if not twins:
        return {'events_found_fp32': None, 'false_alarms_fp32': None, 'fidelity': None}
    fidelity = compare(twins)
    found = [pair.fp32.events_found for pair in twins if pair.fp32.events_found is not None]
    false = [pair.fp32.false_alarms for pair in twins if pair.fp32.false_alarms is not None]
    return {
        'events_found_fp32': sum(found) if found else None,
        'false_alarms_fp32': sum(false) if false else None,
        'fidelity': {**asdict(fidelity), 'alarm_agreement': fidelity.alarm_agreement},
    }
