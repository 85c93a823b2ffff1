"""The relation between channels, by ridge regression of each on the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taolora_ros.config import Config
from taolora_ros.model.relation import LAGS, RelationWeights, relation_rows, relation_shares
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb
from taolora_ros.training.refinement import Rows, fit_refined

RIDGE = 1e-3  # over the unit power of an input
_SEGMENTS = 4  # segments that are disturbed for the fit of the FP16 path


def fit_relation(segments: Sequence[Float32s], config: Config) -> RelationWeights:
    """Fit the relation to normal segments `[T_i, C]`, re-based and scaled."""
    group = config.quantization.group
    usable = [rows for rows in segments if len(rows) > LAGS[-1] + 1]
    inputs = np.concatenate([relation_rows(rows, group) for rows in usable])
    targets = np.concatenate([rows[LAGS[-1] :] for rows in usable])
    weight = _ridge(inputs, targets)
    residual = targets - inputs @ weight
    generator = np.random.default_rng(config.training.seed)
    disturbed = usable[:: max(1, len(usable) // _SEGMENTS)]
    layer = fit_refined(
        weight,
        Rows(
            normal=inputs,
            transient={
                kind: _disturbed_rows(disturbed, kind, generator, group) for kind in Disturbance
            },
        ),
        metric=1.0 / np.maximum(residual.std(axis=0), 1e-3),
        shares=relation_shares(targets.shape[1], group),
        config=config,
        name='relation',
    )
    return RelationWeights(layer)


def _ridge(inputs: Float32s, targets: Float32s) -> Floats:
    """W `[K, C]`, each column without the rows of its own channel."""
    x = inputs.astype(np.float64)
    gram = x.T @ x
    cross = x.T @ targets
    channels = targets.shape[1]
    used = len(LAGS) * channels
    weight = np.zeros((inputs.shape[1], channels))
    for channel in range(channels):
        others = np.flatnonzero(np.arange(used) % channels != channel)
        penalty = RIDGE * len(x) * np.eye(len(others))
        weight[others, channel] = np.linalg.solve(
            gram[np.ix_(others, others)] + penalty, cross[others, channel]
        )
    return weight


def _disturbed_rows(
    segments: Sequence[Float32s], kind: Disturbance, generator: np.random.Generator, group: int
) -> Float32s:
    found = []
    for rows in segments:
        disturbed = disturb(rows, kind, generator)
        seen = relation_rows(disturbed.rows, group)
        found.append(seen[disturbed.is_touched[LAGS[-1] :]])
    return np.concatenate(found)
