"""Two curves over all runs: precision against recall of rows, and how soon events are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve

from taolora_ros.evaluation.events import Match
from taolora_ros.evaluation.metrics import average_precision
from taolora_ros.evaluation.runs import RunResult, row_kinds
from taolora_ros.samples import Bools, Floats


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRecall:
    """Rows ranked by score: N steps from the highest score down."""

    recall: Floats  # [N] share of the anomalous rows at or above a score; ascending
    precision: Floats  # [N] share of the rows at or above it that are anomalous
    area: float  # average precision
    chance: float  # share of anomalous rows, which a score without information reaches
    threshold_recall: float  # of the rows at or above the threshold that the artifact carries
    threshold_precision: float | None  # None where no row reaches it


def precision_recall(runs: Sequence[RunResult]) -> PrecisionRecall | None:
    """Rank the watched rows of all runs with labels together.

    Args:
        runs: one to see its own ranking, several to pool their rows.

    Returns:
        None where no row is anomalous.
    """
    labeled = [_watched_rows(run) for run in runs if run.truths is not None]
    if not labeled:
        return None
    labels, scores, alarms = (np.concatenate(parts) for parts in zip(*labeled, strict=True))
    area = average_precision(labels, scores)
    if area is None:
        return None
    precision, recall, _ = precision_recall_curve(labels, scores, drop_intermediate=True)
    hits = int(np.count_nonzero(labels & alarms))
    raised = int(np.count_nonzero(alarms))
    return PrecisionRecall(
        recall=recall[::-1],
        precision=precision[::-1],
        area=area,
        chance=float(labels.mean()),
        threshold_recall=hits / int(np.count_nonzero(labels)),
        threshold_precision=hits / raised if raised else None,
    )


def _watched_rows(run: RunResult) -> tuple[Bools, Floats, Bools]:
    """Label, score, and whether it reaches the threshold, of each watched row."""
    trace = run.trace
    kinds = row_kinds(trace, run.truths or (), tolerance_s=run.tolerance_s)
    return (
        kinds.anomalous[kinds.watched],
        trace.rows(trace.scores)[kinds.watched],
        trace.rows(trace.scores >= trace.thresholds)[kinds.watched],
    )


@dataclass(frozen=True, slots=True, eq=False)
class DelayCurve:
    """How soon after their onset true events were reported."""

    delays_s: Floats  # [N] ascending; of the events whose alarm was raised after the onset
    standing: int  # found by an alarm that had been raised before the onset
    missed: int

    @property
    def events(self) -> int:
        """How many true events there are."""
        return len(self.delays_s) + self.standing + self.missed

    def share_within(self, delay_s: float) -> float:
        """Share of all true events that were reported within so long, 0 to 1."""
        found = int(np.searchsorted(self.delays_s, delay_s, side='right'))
        return found / self.events


def delay_curve(matches: Sequence[Match]) -> DelayCurve | None:
    """The delays of true events, standing and missed ones told apart; None without events."""
    if not matches:
        return None
    delays = sorted(match.delay_s for match in matches if match.delay_s is not None)
    return DelayCurve(
        delays_s=np.array(delays, dtype=np.float64),
        standing=sum(match.is_standing for match in matches),
        missed=sum(not match.is_found for match in matches),
    )
