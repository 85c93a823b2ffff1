"""The linear skip in closed form: ridge regression, then rounding and its repair.

I inputs a row, K inputs of the layer, N = I outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.model.skip import (
    SkipWeights,
    own_columns,
    skip_inputs,
    skip_rows,
    skip_shares,
)
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb
from taolora_ros.training.refinement import Rows, fit_refined

RIDGE = 1e-2  # of the regression, over the unit variance of its inputs
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
    return floored.astype(np.float16).astype(np.float32)  # as it is stored


def regression(segments: Sequence[Float32s], spread: Float32s, config: Config) -> Regression:
    """The skip's rows over all segments; the first `order` rows of each are only looked at."""
    order, group = config.model.order, config.quantization.group
    inputs = [skip_rows(rows, spread, order=order, group=group) for rows in segments]
    targets = [np.diff(rows[order - 1 :], axis=0) for rows in segments]
    return Regression(inputs=np.concatenate(inputs), targets=np.concatenate(targets) / spread)


def fit_ridge(
    rows: Regression, spread: Float32s, *, order: int, group: int, ridge: float = RIDGE
) -> Floats:
    """W `[K, N]` of the regression of targets on inputs.

    The penalty is on the weights of the plain autoregression x̂[t] = Σ_j x[t−j]·V_j rather than on
    those of its differences: where rows leave a choice, the prediction tends to the normal mean
    and not to the last row, so that a level unlike any seen leaves a residual.

    Args:
        rows: inputs and targets.
        spread: `[I]` σ.
        order: past rows that a row sees.
        group: G.
        ridge: of V, over the unit variance of its inputs.
    """
    x = rows.inputs.astype(np.float64)
    plain = plain_weights(spread, order=order, group=group)
    channels = np.arange(spread.shape[0])
    carried = np.zeros((plain.shape[0], spread.shape[0]))
    carried[channels, channels] = 1.0 / spread  # the last row, which the skip carries exactly
    level = ridge * x.shape[0]
    unused = np.diag((plain == 0.0).all(axis=0).astype(np.float64))  # padding
    gram = x.T @ x + level * (plain.T @ plain) + unused
    target = x.T @ rows.targets.astype(np.float64) - level * (plain.T @ carried)
    return np.asarray(np.linalg.solve(gram, target), np.float64)


def plain_weights(spread: Float32s, *, order: int, group: int) -> Floats:
    """What the layer's weights mean for the rows themselves, `[order · I, K]`.

    The layer's input is [x[t−1], …, x[t−order]] times this matrix, so V/σ is this matrix times W,
    plus 1/σ for a channel's own last row.
    """
    inputs = spread.shape[0]
    plain = np.zeros((order * inputs, skip_inputs(inputs, order=order, group=group)))
    columns = own_columns(inputs=inputs, order=order, group=group)
    channels = np.arange(inputs)
    plain[channels, columns[0]] = 1.0
    for lag in range(1, order):
        plain[(lag - 1) * inputs + channels, columns[lag]] = 1.0 / spread
        plain[lag * inputs + channels, columns[lag]] = -1.0 / spread
    return plain


def fit_skip(
    segments: Sequence[Float32s], config: Config, rng: np.random.Generator
) -> SkipWeights:
    """Fit the skip to normal segments `[T_i, I]`, each longer than the order."""
    spread = difference_spread(segments)
    rows = regression(segments, spread, config)
    weight = fit_ridge(rows, spread, order=config.model.order, group=config.quantization.group)
    residual = rows.targets - rows.inputs @ weight
    columns = own_columns(
        inputs=spread.shape[0], order=config.model.order, group=config.quantization.group
    )
    channels = np.arange(spread.shape[0])
    own = weight[columns, channels].astype(np.float16)
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
        shares=skip_shares(
            spread.shape[0], order=config.model.order, group=config.quantization.group
        ),
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
