"""From normal sessions to limits, tails and alarm rates, re-based exactly as live operation is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.evidence import SessionFeatures
from taolora_ros.detection.scoring import ScoreCalibration, combine, surprise
from taolora_ros.detection.tails import fit_tail
from taolora_ros.detection.thresholds import AlarmRate, fit_alarm_rate
from taolora_ros.detection.watch import Observation, Watch, WatchModel
from taolora_ros.samples import Floats, Routing
from taolora_ros.training.sessions import Session

MIN_SCALE = 0.2  # of a statistic's tail; statistics are in normal spreads or in e-folds
COMBINED_MIN_SHAPE = 0.1  # the single tails are heavy already


@dataclass(frozen=True, eq=False)
class WatchedSession:
    """What a held-out normal session showed."""

    features: SessionFeatures
    evidence: Floats  # [n, E] statistics of the n hops after the warm-up
    routings: tuple[Routing, ...]  # of the same hops


def watch_session(model: WatchModel, session: Session) -> WatchedSession:
    """Run a session through a watch, from its warm-up on."""
    watch = Watch(model)
    patch = model.config.window.patch
    seen: list[Observation] = []
    for start in range(0, len(session.values) - patch + 1, patch):
        rows = slice(start, start + patch)
        observed = watch.step(session.values[rows], session.peaks[rows])
        if observed is not None:
            seen.append(observed)
    features = np.stack([token.features for token in seen])
    return WatchedSession(
        features=SessionFeatures(watch.warmup, features),
        evidence=np.stack([token.evidences.values for token in seen]),
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
    pooled = np.concatenate([session.evidence for session in sessions])
    tails = tuple(fit_tail(column, min_scale=MIN_SCALE) for column in pooled.T)
    sums = [
        np.array([combine(surprise(row, tails)) for row in session.evidence])
        for session in sessions
    ]
    combined = fit_tail(np.concatenate(sums), min_shape=COMBINED_MIN_SHAPE)
    scores = [
        np.array([-combined.log_survival(value) / np.log(10.0) for value in row]) for row in sums
    ]
    return ScoreCalibration(tails, combined), fit_alarm_rate(scores, hop_s, merge_s)
