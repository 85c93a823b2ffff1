"""A trained dense layer turned into a dual-path layer.

M rows, K inputs, N outputs, R rank, G group size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from taolora_ros.config import QuantizationConfig
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import Int4Weight, fit_int4
from taolora_ros.quantization.low_rank import LowRank, Moments, fit_low_rank, no_low_rank
from taolora_ros.quantization.time_aware import fit_steady_scales
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance

_DAMPING = 0.1  # of the Gram matrix in rounding, over its mean diagonal (0.01 and 1 were worse)
_TRANSIENT_SHARE = 0.01  # of transient rows in it: correlations of normal rows alone mislead
_RIDGES = (1.0, 10.0, 100.0)  # times the configured ridge, until kinds left out are served
_LEAST_GAIN = 0.02  # of the lost power; a path that repairs less is left out
_OUTPUTS_PER_RANK = 4  # a narrow layer's path stays smaller than its 4-bit weights


def fit_layer(
    weight: Floats,
    bias: Float32s,
    *,
    normal: Float32s,
    transient: Mapping[Disturbance, Float32s],
    metric: Floats,
    settings: QuantizationConfig,
) -> DualPathWeights:
    """Round a layer and fit the path that repairs it.

    Args:
        weight: W, `[K, N]`.
        bias: `[N]`.
        normal: `[M, K]` inputs of the layer on normal rows.
        transient: `[m, K]` inputs of the layer under each kind of disturbance.
        metric: `[N]` what an error of each output weighs.
        settings: group, rank, ridge and activation scale.
    """
    int4 = fit_int4(weight, group=settings.group, gram=_rounding_gram(normal, transient))
    steady = fit_steady_scales(
        normal, group=settings.group, importance=((weight * metric) ** 2).sum(axis=1)
    )
    return DualPathWeights(
        weight=int4,
        steady=steady,
        low_rank=fit_repair(
            transient.values(), weight, int4, steady, metric=metric, settings=settings
        ),
        bias=bias.astype(np.float16),
        dense=weight.astype(np.float32),
    )


def _rounding_gram(normal: Float32s, transient: Mapping[Disturbance, Float32s]) -> Floats:
    """Mean XᵀX of the rows that rounding should serve, damped so that it can be inverted."""
    gram = normal.T.astype(np.float64) @ normal / normal.shape[0]
    damping = _DAMPING * max(float(np.trace(gram)) / gram.shape[0], 1e-9)
    for x in transient.values():
        share = _TRANSIENT_SHARE / len(transient) / max(x.shape[0], 1)
        gram += share * (x.T.astype(np.float64) @ x)
    return gram + damping * np.eye(gram.shape[0])


def _lost(
    x: Float32s, weight: Floats, int4: Int4Weight, steady: Float32s, settings: QuantizationConfig
) -> Moments:
    """Moments of transient rows and of what Q4(X)·Q4(W) loses of X·W on them."""
    inputs, outputs = weight.shape
    mask = np.ones(x.shape[0], bool)
    operands = linear.prepare(int4, no_low_rank(inputs, outputs), np.zeros(outputs, np.float32))
    rounded = quantize(x, steady, mask, settings.activation)
    exact = x.astype(np.float64)
    return Moments.of(exact, exact @ weight - linear.dual_path_linear(x, rounded, operands, mask))


def fit_repair(
    transient: Iterable[Float32s],
    weight: Floats,
    int4: Int4Weight,
    steady: Float32s,
    *,
    metric: Floats,
    settings: QuantizationConfig,
) -> LowRank:
    """A·B, with the least ridge that serves kinds of disturbance unlike the ones fitted.

    Args:
        transient: `[m, K]` inputs of the layer under each kind of disturbance.
        weight: W, `[K, N]`.
        int4: Q4(W).
        steady: `[K/G]` steady scales of the inputs.
        metric: `[N]` what an error of each output weighs.
        settings: rank, ridge and activation scale.
    """
    moments = [_lost(x, weight, int4, steady, settings) for x in transient if x.shape[0] > 0]
    inputs, outputs = weight.shape
    nothing = no_low_rank(inputs, outputs)
    rank = min(settings.rank, max(1, outputs // _OUTPUTS_PER_RANK))
    if settings.rank == 0 or not moments:
        return nothing
    total = _total(moments)

    lost = total.error(nothing, metric)
    for ridge in (settings.ridge * times for times in _RIDGES):
        if _left_out_error(moments, rank, ridge, metric) < (1.0 - _LEAST_GAIN) * lost:
            return fit_low_rank(total, rank=rank, ridge=ridge, metric=metric)
    return nothing


def _left_out_error(moments: list[Moments], rank: int, ridge: float, metric: Floats) -> float:
    """What is still lost on each kind of disturbance, fitted to the other kinds."""
    error = 0.0
    for index, unseen in enumerate(moments):
        seen = _total([*moments[:index], *moments[index + 1 :]] or moments)
        error += unseen.error(fit_low_rank(seen, rank=rank, ridge=ridge, metric=metric), metric)
    return error


def _total(moments: list[Moments]) -> Moments:
    first, *rest = moments
    for other in rest:
        first = first + other
    return first
