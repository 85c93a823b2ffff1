"""From normal sessions to limits, tails and alarm rates, re-based exactly as live operation is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.detection.evidence import (
    LONG_ROWS,
    EvidenceNorm,
    SessionFeatures,
    fit_norm,
    gather,
)
from taolora_ros.detection.scoring import ScoreCalibration, combine, decades, surprise
from taolora_ros.detection.tails import fit_tail
from taolora_ros.detection.thresholds import AlarmRate, fit_alarm_rate
from taolora_ros.detection.watch import Observation, Watch, WatchModel
from taolora_ros.samples import Floats, Ints, Routing
from taolora_ros.training.sessions import Session

MIN_SCALE = 0.3  # of a statistic's tail; statistics are in normal spreads or in e-folds


@dataclass(frozen=True, eq=False)
class WatchedSession:
    """What a held-out normal session showed."""

    features: SessionFeatures
    routings: tuple[Routing, ...]  # of the hops after the warm-up


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is learned from how held-out normal sessions look."""

    norm: EvidenceNorm
    scores: ScoreCalibration
    alarms: AlarmRate


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
        routings=tuple(token.routing for token in seen),
    )


def calibrate(sessions: Sequence[WatchedSession], changes: Ints, config: Config) -> Calibration:
    """Fit norm, tails and alarm rate to held-out normal sessions.

    The tails see each session through a norm that was fitted to the others: what one
    session looks like to a detector that never saw it is what a user will meet.

    Args:
        sessions: what they showed, each after its own warm-up.
        changes: how often [I] each input changes at least, see `fit_norm`.
        config: settings of the detector.

    Raises:
        CalibrationError: there are too few hops for a tail.
    """
    rebase = config.detection.warmup_s > 0.0
    evidence = _cross_fitted(sessions, changes, rebase=rebase)
    pooled = np.concatenate(evidence)
    tails = tuple(fit_tail(column, min_scale=MIN_SCALE) for column in pooled.T)
    sums = [combine(surprise(values, tails)) for values in evidence]
    combined = fit_tail(np.concatenate(sums), shape=0.0)
    gap = -(-LONG_ROWS // config.window.patch)
    return Calibration(
        norm=fit_norm([session.features for session in sessions], changes, rebase=rebase),
        scores=ScoreCalibration(tails, combined),
        alarms=fit_alarm_rate([decades(values) for values in sums], config.hop_s, gap),
    )


def _cross_fitted(
    sessions: Sequence[WatchedSession], changes: Ints, *, rebase: bool
) -> list[Floats]:
    """Statistics [n, E] of each session, through a norm that has not seen it."""
    evidence = []
    for session in sessions:
        others = [other.features for other in sessions if other is not session]
        norm, features = fit_norm(others, changes, rebase=rebase), session.features
        offset = norm.offset(features.warmup)
        evidence.append(gather(features.features, norm, offset).values)
    return evidence
