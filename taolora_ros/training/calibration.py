"""From normal sessions to limits, tails and alarm rates, re-based exactly as live operation is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.evidence import Evidences
from taolora_ros.detection.scoring import ScoreCalibration, combine, offsets, surprise
from taolora_ros.detection.tails import fit_tail
from taolora_ros.detection.thresholds import AlarmRate, fit_alarm_rate
from taolora_ros.detection.watch import Observation, Watch, WatchModel
from taolora_ros.samples import Floats, Routing
from taolora_ros.signals.session import MIN_BETWEEN, shrinkage
from taolora_ros.training.sessions import Session

MIN_SCALE = 0.2  # of a statistic's tail; statistics are in normal spreads or in e-folds
COMBINED_MIN_SHAPE = 0.1  # the single tails are heavy already


@dataclass(frozen=True, eq=False)
class WatchedSession:
    """What a held-out normal session showed. E statistics."""

    warmup: Floats  # [m, E]
    evidence: Floats  # [n, E] after the warm-up
    seen: tuple[Evidences, ...]  # the same n hops with their features
    routings: tuple[Routing, ...]  # of the n hops


def watch_session(model: WatchModel, session: Session) -> WatchedSession:
    """Run a session through a watch, from its warm-up on."""
    watch = Watch(model)
    patch = model.config.window.patch
    warmup: list[Observation] = []
    seen: list[Observation] = []
    for start in range(0, len(session.values) - patch + 1, patch):
        rows = slice(start, start + patch)
        observed = watch.step(session.values[rows], session.peaks[rows])
        if isinstance(observed, list):
            warmup = observed
        elif observed is not None:
            seen.append(observed)
    return WatchedSession(
        warmup=np.stack([token.evidences.values for token in warmup]),
        evidence=np.stack([token.evidences.values for token in seen]),
        seen=tuple(token.evidences for token in seen),
        routings=tuple(token.routing for token in seen),
    )


def fit_scores(
    sessions: Sequence[WatchedSession], hop_s: float, merge_s: float
) -> tuple[ScoreCalibration, AlarmRate]:
    """Fit tails and the alarm rate to held-out normal sessions.

    Args:
        sessions: what they showed, each after its own warm-up.
        hop_s: time between hops, in s.
        merge_s: silence that ends a cluster of alarms, in s.

    Raises:
        CalibrationError: there are too few hops for a tail.
    """
    medians = [np.median(session.evidence, axis=0) for session in sessions]
    normal = np.median(np.stack(medians), axis=0)
    everything = np.ones_like(normal)
    starts = np.stack([offsets(session.warmup, normal, everything) for session in sessions])
    within = np.mean((starts + normal - np.stack(medians)) ** 2, axis=0)
    spread = np.mean([session.evidence.var(axis=0) for session in sessions], axis=0)
    shrink = shrinkage(medians, within, MIN_BETWEEN**2 * spread)

    rebased = [session.evidence - offsets(session.warmup, normal, shrink) for session in sessions]
    pooled = np.concatenate(rebased)
    tails = tuple(fit_tail(column, min_scale=MIN_SCALE) for column in pooled.T)
    sums = [np.array([combine(surprise(row, tails)) for row in rows]) for rows in rebased]
    combined = fit_tail(np.concatenate(sums), min_shape=COMBINED_MIN_SHAPE)
    scores = [
        np.array([-combined.log_survival(value) / np.log(10.0) for value in row]) for row in sums
    ]
    calibration = ScoreCalibration(normal, shrink, tails, combined)
    return calibration, fit_alarm_rate(scores, hop_s, merge_s)
