"""The linear skip in closed form: ridge regression, then rounding and its repair.

I inputs a row, K inputs of the layer, N = I outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.model.skip import SkipWeights, own_columns, skip_rows
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb
from taolora_ros.training.refinement import Rows, fit_refined

RIDGE = 1e-3  # of the regression, over the unit variance of its inputs
_SMALLEST_SPREAD = 1e-3  # of a difference, against a channel's unit variance
_TRANSIENT_ROWS = 4_000  # rows of each kind of disturbance that the low-rank fit sees


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Rows of the skip's layer with the outputs they should give."""

    inputs: Float32s  # [M, K]
    targets: Float32s  # [M, N] the next difference over σ


def difference_spread(segments: Sequence[Float32s]) -> Float32s:
    """σ: standard deviation of the first differences, `[I]`; 1 where a channel never moves."""
    differences = np.concatenate([np.diff(segment, axis=0) for segment in segments])
    spread = differences.std(axis=0, dtype=np.float64)
    floored = np.where(spread > 0.0, np.maximum(spread, _SMALLEST_SPREAD), 1.0)
    return floored.astype(np.float32)


def regression(segments: Sequence[Float32s], spread: Float32s, config: Config) -> Regression:
    """The skip's rows over all segments; the first `order` rows of each are only looked at."""
    order, group = config.model.order, config.quantization.group
    inputs = [skip_rows(rows, spread, order=order, group=group) for rows in segments]
    targets = [np.diff(rows[order - 1 :], axis=0) for rows in segments]
    return Regression(inputs=np.concatenate(inputs), targets=np.concatenate(targets) / spread)


def fit_ridge(rows: Regression, *, ridge: float = RIDGE) -> Floats:
    """W `[K, N]` of the regression of targets on inputs."""
    x = rows.inputs.astype(np.float64)
    gram = x.T @ x + ridge * x.shape[0] * np.eye(x.shape[1])
    return np.linalg.solve(gram, x.T @ rows.targets.astype(np.float64)).astype(np.float64)


def fit_skip(
    segments: Sequence[Float32s], config: Config, rng: np.random.Generator
) -> SkipWeights:
    """Fit the skip to normal segments `[T_i, I]`, each longer than the order."""
    spread = difference_spread(segments)
    rows = regression(segments, spread, config)
    weight = fit_ridge(rows)
    residual = rows.targets - rows.inputs @ weight
    columns = own_columns(
        inputs=spread.shape[0], order=config.model.order, group=config.quantization.group
    )
    channels = np.arange(spread.shape[0])
    own = weight[columns, channels].astype(np.float32)
    weight[columns, channels] = 0.0
    layer = fit_refined(
        weight,
        Rows(
            normal=rows.inputs,
            transient={
                kind: _transient_rows(segments, kind, spread, config, rng) for kind in Disturbance
            },
        ),
        metric=1.0 / np.maximum(residual.std(axis=0), 1e-3),  # errors count against the residual
        config=config,
        name='skip',
    )
    return SkipWeights(linear=layer, spread=spread, own=own)


def _transient_rows(
    segments: Sequence[Float32s],
    kind: Disturbance,
    spread: Float32s,
    config: Config,
    rng: np.random.Generator,
) -> Float32s:
    """Rows of the layer while a disturbance of this kind is in its view, `[m, K]`."""
    order, group = config.model.order, config.quantization.group
    found: list[Float32s] = []
    count = 0
    while count < _TRANSIENT_ROWS:
        disturbed = disturb(segments[int(rng.integers(len(segments)))], kind, rng)
        x = skip_rows(disturbed.rows, spread, order=order, group=group)
        seen = np.convolve(disturbed.is_touched, np.ones(order))[order - 1 : -order] > 0
        if seen.any():
            found.append(x[seen])
        count += int(seen.sum()) + 1
    return np.concatenate(found) if found else np.zeros((0, x.shape[1]), np.float32)
