"""The linear skip in closed form: ridge, rounding to 4 bits, low-rank repair of its output.

I inputs a row, K inputs of the layer, N = I outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.skip import SkipWeights, skip_rows
from taolora_ros.quantization.int4 import Int4Weight, fit_int4
from taolora_ros.quantization.low_rank import LowRank, fit_low_rank
from taolora_ros.quantization.time_aware import fit_steady_scales
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb

RIDGE = 1e-3  # of the regression, over the unit variance of its inputs
_SMALLEST_SPREAD = 1e-3  # of a difference, against a channel's unit variance
_TRANSIENT_ROWS = 20_000  # artificial transient rows that the low-rank fit sees


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
    long = [segment for segment in segments if segment.shape[0] > order]
    inputs = [skip_rows(rows, spread, order=order, group=group) for rows in long]
    targets = [(rows[order:] - rows[order - 1 : -1]) / spread for rows in long]
    return Regression(inputs=np.concatenate(inputs), targets=np.concatenate(targets))


def fit_ridge(rows: Regression, *, ridge: float = RIDGE) -> Floats:
    """W `[K, N]` of the regression of targets on inputs."""
    x = rows.inputs.astype(np.float64)
    gram = x.T @ x + ridge * x.shape[0] * np.eye(x.shape[1])
    solution: Floats = np.linalg.solve(gram, x.T @ rows.targets.astype(np.float64))
    return solution


def fit_skip(
    segments: Sequence[Float32s], config: Config, rng: np.random.Generator
) -> SkipWeights:
    """Fit the skip to normal segments `[T_i, I]`."""
    spread = difference_spread(segments)
    rows = regression(segments, spread, config)
    weight = fit_ridge(rows)
    residual = rows.targets - rows.inputs @ weight
    metric = 1.0 / np.maximum(residual.std(axis=0), 1e-6)  # errors count against the residual
    int4 = fit_int4(weight, group=config.quantization.group)
    steady = fit_steady_scales(
        rows.inputs.astype(np.float64),
        group=config.quantization.group,
        importance=((weight * metric) ** 2).sum(axis=1),
    )
    transient = np.concatenate(list(_transient_rows(segments, spread, config, rng)))
    low_rank = _repair(transient, weight, int4, steady, metric, config)
    layer = DualPathWeights(
        weight=int4,
        steady=steady,
        low_rank=low_rank,
        bias=np.zeros(weight.shape[1], np.float32),
        dense=weight.astype(np.float32),
    )
    return SkipWeights(linear=layer, spread=spread)


def _transient_rows(
    segments: Sequence[Float32s], spread: Float32s, config: Config, rng: np.random.Generator
) -> Iterator[Float32s]:
    """Rows of the layer while a disturbance is in its view, `[m, K]` at a time."""
    order, group = config.model.order, config.quantization.group
    count = 0
    while count < _TRANSIENT_ROWS:
        for kind in Disturbance:
            segment = segments[int(rng.integers(len(segments)))]
            if segment.shape[0] <= order:
                continue
            disturbed = disturb(segment, kind, rng)
            x = skip_rows(disturbed.rows, spread, order=order, group=group)
            seen = np.convolve(disturbed.is_touched, np.ones(order))[order - 1 : -order] > 0
            count += int(seen.sum())
            yield x[seen]


def _repair(
    x: Float32s,
    weight: Floats,
    int4: Int4Weight,
    steady: Float32s,
    metric: Floats,
    config: Config,
) -> LowRank:
    """The low-rank path for what Q4(X)·Q4(W) loses of X·W on transient rows `[M, K]`."""
    settings = config.quantization
    nothing = LowRank(
        down=np.zeros((x.shape[1], 0), np.float16), up=np.zeros((0, weight.shape[1]), np.float16)
    )
    if settings.rank == 0:
        return nothing
    mask = np.ones(x.shape[0], bool)
    operands = linear.prepare(int4, nothing, np.zeros(weight.shape[1], np.float32))
    rounded = quantize(x, steady, mask, settings.activation)
    lost = x @ weight - linear.dual_path_linear(x, rounded, operands, mask)
    return fit_low_rank(
        x.astype(np.float64), lost, rank=settings.rank, ridge=settings.ridge, metric=metric
    )
