"""Training: from recordings of normal operation to a calibrated detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from taolora_ros.config import Config
from taolora_ros.detection.evidence import least_changes, open_norm
from taolora_ros.detection.watch import WatchModel, rebasing_rows, warmup_rows
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import CalibrationError
from taolora_ros.model.relation import RelationWeights
from taolora_ros.routing.router import OPEN_LIMITS, fit_limits
from taolora_ros.samples import Float32s, Recording
from taolora_ros.signals.inputs import InputLayout, fit_input_layout
from taolora_ros.signals.session import SessionPrior, fit_session_prior
from taolora_ros.training.calibration import (
    WatchedSession,
    calibrate,
    watch_session,
)
from taolora_ros.training.network_fit import fit_network
from taolora_ros.training.relation_fit import fit_relation
from taolora_ros.training.sessions import Session, split_sessions

Progress = Callable[[str, float], None]

FOLDS_WITH_CORRECTION = 3


def train(
    recordings: Sequence[Recording],
    channels: Sequence[str],
    config: Config,
    *,
    progress: Progress,
) -> DetectorModel:
    """Learn what normal looks like.

    The network is fitted to all sessions; limits, tails and thresholds come from sessions that a
    network fitted to the other folds has not seen.

    Args:
        recordings: normal operation on the grid, values [T, C].
        channels: names of the C columns.
        config: settings; they travel with the model.
        progress: told the stage and the share of it that is done, 0 to 1.

    Raises:
        CalibrationError: the recordings are too short, or no channel varies.
    """
    sessions = split_sessions(recordings, config)
    prior, layout = _fit_front(sessions, config)
    if not prior.active.any():
        raise CalibrationError(
            'no channel varies in the normal recordings; nothing can be learned'
        )
    inputs = [_inputs(session, prior, layout, config) for session in sessions]
    network = fit_network(inputs, config, progress=progress)
    model = WatchModel(
        config=config,
        prior=prior,
        layout=layout,
        network=network,
        relation=_fit_relation(inputs, prior, config),
        limits=OPEN_LIMITS,
        norm=open_norm(network.inputs),
    )
    held_out = _held_out_models(sessions, model, progress)
    opened = _watch_all(sessions, held_out, progress, 'routing')
    signs = [session.routings for session in opened]
    limits = fit_limits(signs, config.router, config.hop_s)
    held_out = [dataclasses.replace(fold, limits=limits) for fold in held_out]
    watched = _watch_all(sessions, held_out, progress, 'calibration')
    changes = least_changes(inputs)
    calibration = calibrate(watched, changes, config)
    return DetectorModel(
        channels=tuple(channels),
        watch=dataclasses.replace(model, limits=limits, norm=calibration.norm),
        scores=calibration.scores,
        alarms=calibration.alarms,
        trained_on=tuple(recording.name for recording in recordings),
    )


def _fit_front(sessions: Sequence[Session], config: Config) -> tuple[SessionPrior, InputLayout]:
    prior = fit_session_prior([session.own for session in sessions], rebasing_rows(config))
    peaks = np.concatenate([session.peaks[session.lead :] for session in sessions])
    return prior, fit_input_layout(peaks, prior.active)


def _inputs(
    session: Session, prior: SessionPrior, layout: InputLayout, config: Config
) -> Float32s:
    location = prior.rebased(session.values[: warmup_rows(config)])
    rows = layout.inputs(prior, location, session.own, session.peaks[session.lead :])
    return rows.astype(np.float32)


def _held_out_models(
    sessions: Sequence[Session],
    model: WatchModel,
    progress: Progress,
) -> list[WatchModel]:
    """A model for each fold, fitted to the sessions of the other folds."""
    has_correction = model.network.correction is not None
    held_out = sorted({session.fold for session in sessions})
    # A correction takes long to train: fewer, larger folds.
    count = min(FOLDS_WITH_CORRECTION, len(held_out)) if has_correction else len(held_out)
    fold_of = {fold: place % count for place, fold in enumerate(held_out)}
    models: list[WatchModel] = []
    for fold in range(count):
        progress('held-out folds', fold / count)
        others = [session for session in sessions if fold_of[session.fold] != fold]
        prior = fit_session_prior([session.own for session in others], rebasing_rows(model.config))
        rows = [_inputs(session, prior, model.layout, model.config) for session in others]
        network = fit_network(
            rows,
            model.config,
            progress=lambda stage, share: None,
            with_correction=has_correction,
        )
        relation = _fit_relation(rows, prior, model.config)
        models.append(dataclasses.replace(model, prior=prior, network=network, relation=relation))
    progress('held-out folds', 1.0)
    return [models[fold_of[session.fold]] for session in sessions]


def _fit_relation(
    inputs: Sequence[Float32s], prior: SessionPrior, config: Config
) -> RelationWeights:
    channels = len(prior.location)
    return fit_relation([rows[:, :channels] for rows in inputs], config)


def _watch_all(
    sessions: Sequence[Session], models: Sequence[WatchModel], progress: Progress, stage: str
) -> list[WatchedSession]:
    watched = []
    for done, (session, model) in enumerate(zip(sessions, models, strict=True)):
        progress(stage, done / len(sessions))
        watched.append(watch_session(model, session))
    progress(stage, 1.0)
    return watched
