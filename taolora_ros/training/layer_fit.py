"""A trained dense layer turned into a dual-path layer.

M rows, K inputs, N outputs, R rank, G group size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from taolora_ros.config import QuantizationConfig
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.kernels.rotate.reference import rotate, units
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import LowRank, Moments, fit_low_rank, no_low_rank
from taolora_ros.quantization.octaves import Codes, decode
from taolora_ros.quantization.smoothing import fit_smoothing
from taolora_ros.quantization.time_aware import fit_steady_scales
from taolora_ros.samples import Float32s, Floats, Ints
from taolora_ros.training.augmentation import Disturbance

_DAMPING = 0.1  # of the Gram matrix in rounding, over its mean diagonal (0.01 and 1 were worse)
_TRANSIENT_SHARE = 0.01  # of transient rows in it: normal rows alone mislead
_RIDGES = (1.0, 10.0, 100.0)  # times the configured ridge, until kinds left out are served
_LEAST_GAIN = 0.02  # of the lost power; a path that repairs less is left out
_OUTPUTS_PER_RANK = 16  # a rank is a seventh of a narrow layer; four more gained a fifth


def fit_layer(
    weight: Floats,
    bias: Float32s,
    *,
    normal: Float32s,
    transient: Mapping[Disturbance, Float32s],
    metric: Floats,
    shares: Ints,
    settings: QuantizationConfig,
) -> DualPathWeights:
    """Smooth, rotate and round a layer, and fit the path that repairs it.

    Args:
        weight: W₀, `[K, N]`.
        bias: `[N]`.
        normal: `[M, K]` inputs of the layer on normal rows.
        transient: `[m, K]` inputs of the layer under each kind of disturbance.
        metric: `[N]` what an error of each output weighs.
        shares: `[K]` which λ an input takes.
        settings: group, rank, ridge and activation scale.
    """
    group = settings.group
    gram = _mean_gram(normal, transient)
    smooth = fit_smoothing(np.diag(gram), weight * metric, shares)
    inverse = units(smooth[shares], group)
    exact = inverse.astype(np.float64)
    gram = rotate(rotate(gram, exact, group).T, exact, group)
    rotated = rotate(normal, inverse, group)
    turned = rotated_weight(weight, smooth[shares], group)
    layer = DualPathWeights(
        smooth=smooth,
        shares=shares,
        weight=fit_int4(turned, group=group, gram=_damped(gram)),
        steady=fit_steady_scales(
            rotated, group=group, importance=((turned * metric) ** 2).sum(axis=1)
        ),
        low_rank=no_low_rank(*weight.shape),
        bias=bias.astype(np.float16),
        dense=weight.astype(np.float32),
    )
    disturbed = [rotate(x, inverse, group) for x in transient.values()]
    repair = fit_repair(layer, turned, disturbed, metric=metric, settings=settings)
    return dataclasses.replace(layer, low_rank=repair)


def rotated_weight(weight: Floats, smooth: Codes, group: int) -> Floats:
    """W, `[K, N]`: what W₀ is to rotated inputs; the rotation is its own inverse."""
    scales = decode(smooth) / np.sqrt(group)
    return np.ascontiguousarray(rotate(weight.T, scales, group).T)


def _mean_gram(normal: Float32s, transient: Mapping[Disturbance, Float32s]) -> Floats:
    """Mean XᵀX of the rows that rounding should serve, `[K, K]`."""
    gram = normal.T.astype(np.float64) @ normal / normal.shape[0]
    for x in transient.values():
        share = _TRANSIENT_SHARE / len(transient) / max(x.shape[0], 1)
        gram += share * (x.T.astype(np.float64) @ x)
    return gram


def _damped(gram: Floats) -> Floats:
    """The same, so that it can be inverted."""
    damping = _DAMPING * max(float(np.trace(gram)) / gram.shape[0], 1e-9)
    return gram + damping * np.eye(gram.shape[0])


def fit_repair(
    layer: DualPathWeights,
    weight: Floats,
    transient: Iterable[Float32s],
    *,
    metric: Floats,
    settings: QuantizationConfig,
) -> LowRank:
    """A·B, with the least ridge that serves kinds of disturbance unlike the ones fitted.

    Args:
        layer: the layer, whose own A·B doesn't matter.
        weight: W, `[K, N]`, of rotated inputs.
        transient: `[m, K]` rotated inputs under each kind of disturbance.
        metric: `[N]` what an error of each output weighs.
        settings: rank, ridge and activation scale.
    """
    moments = [_lost(layer, weight, x, settings) for x in transient if x.shape[0] > 0]
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


def _lost(
    layer: DualPathWeights, weight: Floats, x: Float32s, settings: QuantizationConfig
) -> Moments:
    """Moments of transient rows and of what both nibbles lose of X·W on them."""
    inputs, outputs = weight.shape
    mask = np.ones(x.shape[0], bool)
    operands = linear.prepare(
        layer.weight, no_low_rank(inputs, outputs), np.zeros(outputs, np.float32)
    )
    rounded = quantize(x, layer.steady.astype(np.float32), mask, settings.activation)
    exact = x.astype(np.float64)
    return Moments.of(exact, exact @ weight - linear.dual_path_linear(x, rounded, operands, mask))


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
