"""A layer in closed form, refined by gradient with straight-through rounding.

The task is the whitened output at 4 bits on steady rows, the repair what X·A·B leaves of the
output lost on transient rows. Both are squares of a product with W, so that the gradient comes
from two moments of the rows and a step costs the same however many rows there are. W and its
scales move; A·B follows in closed form, its best answer to any W.

All of it happens on smoothed and rotated inputs, which the layer's λ fixes.

M rows, K inputs, N outputs, G group size.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

import numpy as np

from taolora_ros.config import Config, QuantizationConfig
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.objective import objective
from taolora_ros.quantization.int4 import LARGEST, Int4Weight, pack, unpack
from taolora_ros.quantization.octaves import decode, encode
from taolora_ros.samples import Float32s, Floats, Ints
from taolora_ros.training.augmentation import Disturbance
from taolora_ros.training.layer_fit import fit_layer, fit_repair, rotated_weight
from taolora_ros.training.sensitivity import widened

LEAST_GAIN = 0.02  # of the objective on held-out rows; less keeps the closed form
REPAIR_WEIGHT = 0.2  # μ: with 0.05, steady rows gain what transient ones lose several times over
_STEPS = 1_000
_SCALE_STEP = 0.02  # of a scale, for its whole way to the best value
_SCALE_RANGE = (0.5, 2.0)  # times the scale of the closed form
_MOST_NORMAL = 16_384  # rows looked at
_MOST_TRANSIENT = 4_096  # of each kind
_BLOCK = 256  # consecutive rows that are held out together: neighbors are alike
_HELD_OUT = 4  # every so-manieth block is

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Inputs of a layer, `[M, K]` on normal rows and `[m, K]` under each disturbance."""

    normal: Float32s
    transient: Mapping[Disturbance, Float32s]

    def rotated(self, layer: DualPathWeights) -> Rows:
        """The inputs as the layer rounds them."""
        return Rows(
            normal=layer.rotated(self.normal),
            transient={kind: layer.rotated(x) for kind, x in self.transient.items()},
        )


def fit_refined(
    weight: Floats, rows: Rows, *, metric: Floats, shares: Ints, config: Config, name: str
) -> DualPathWeights:
    """A layer without bias in closed form, refined unless `training.epochs` is 0."""
    layer = fit_layer(
        weight,
        np.zeros(weight.shape[1], np.float32),
        normal=rows.normal,
        transient=rows.transient,
        metric=metric,
        shares=shares,
        settings=config.quantization,
    )
    layer = widened(layer, rows.normal, metric=metric, settings=config.quantization, name=name)
    if config.training.epochs == 0:
        return layer
    return refine_layer(
        layer,
        weight,
        rows,
        metric=metric,
        settings=config.quantization,
        step=config.training.learning_rate,
        name=name,
    )


def refine_layer(
    layer: DualPathWeights,
    weight: Floats,
    rows: Rows,
    *,
    metric: Floats,
    settings: QuantizationConfig,
    step: float,
    name: str,
) -> DualPathWeights:
    """The refined layer where that is better on rows held out of the refinement, else `layer`.

    Deterministic. The held-out rows were seen by the rounding in closed form, not by the
    refined one, and by the A·B of both: the comparison does not favor the refinement.

    Args:
        layer: from `fit_layer`.
        weight: W₀ in full precision, `[K, N]`.
        rows: what the layer was fitted to.
        metric: `[N]` what an error of each output weighs.
        settings: as for `fit_layer`.
        step: of the gradient, in codes over the error that one input's code explains.
        name: of the layer, for the log.
    """
    weight = rotated_weight(weight, layer.smoothing, layer.weight.group)
    rows = rows.rotated(layer)
    fitted, held_out = split(rows)
    if min(len(fitted.normal), len(held_out.normal)) == 0 or not held_out.transient:
        return layer
    gram, cross = _moments(layer, weight, fitted, settings)
    int4 = _descend(layer.weight, gram, cross, metric, step)
    rounded = dataclasses.replace(layer, weight=int4)
    low_rank = fit_repair(
        rounded, weight, rows.transient.values(), metric=metric, settings=settings
    )
    refined = dataclasses.replace(rounded, low_rank=low_rank)
    before = loss(layer, weight, held_out, metric, settings)
    after = loss(refined, weight, held_out, metric, settings)
    is_better = after < (1.0 - LEAST_GAIN) * before
    kept = 'refined' if is_better else 'closed form'
    _log.info('%s: held-out loss %.4g, refined %.4g: %s kept', name, before, after, kept)
    return refined if is_better else layer


def split(rows: Rows) -> tuple[Rows, Rows]:
    """Rows to refine on, and rows that decide."""

    def part(x: Float32s, most: int, is_held_out: bool) -> Float32s:
        block = min(_BLOCK, max(1, len(x) // _HELD_OUT))  # few rows are shared out as well
        chosen = (np.arange(len(x)) // block % _HELD_OUT == _HELD_OUT - 1) == is_held_out
        taken: Float32s = x[chosen][:: max(1, -(-int(chosen.sum()) // most))]
        return taken

    def side(is_held_out: bool) -> Rows:
        parts = {kind: part(x, _MOST_TRANSIENT, is_held_out) for kind, x in rows.transient.items()}
        return Rows(
            normal=part(rows.normal, _MOST_NORMAL, is_held_out),
            transient={kind: x for kind, x in parts.items() if len(x) > 0},
        )

    return side(False), side(True)


def loss(
    layer: DualPathWeights,
    weight: Floats,
    rows: Rows,
    metric: Floats,
    settings: QuantizationConfig,
) -> float:
    """The objective of a layer, the mean over the kinds of disturbance.

    Args:
        layer: the layer.
        weight: W, `[K, N]`, of rotated inputs.
        rows: rotated.
        metric: `[N]` what an error of each output weighs.
        settings: how activations are rounded.
    """
    dense = layer.weight.dense()
    repair = layer.low_rank.product()
    error = (
        rows.normal @ weight - _at_4_bits(rows.normal, layer, settings, False) @ dense
    ) * metric
    return float(
        np.mean(
            [
                objective(
                    error,
                    (x @ weight - _at_4_bits(x, layer, settings, True) @ dense) * metric,
                    x @ repair * metric,
                    weight=REPAIR_WEIGHT,
                )
                for x in rows.transient.values()
            ]
        )
    )


def _moments(
    layer: DualPathWeights, weight: Floats, rows: Rows, settings: QuantizationConfig
) -> tuple[Floats, Floats]:
    """X̂ᵀX̂ `[K, K]` and X̂ᵀY `[K, N]`: X̂ the inputs at 4 bits, Y the output they should give."""
    x = _at_4_bits(rows.normal, layer, settings, False)
    gram = x.T @ x / len(x)
    cross = x.T @ (rows.normal @ weight) / len(x)
    beside = weight - layer.low_rank.product()
    for transient in rows.transient.values():
        share = 2.0 * REPAIR_WEIGHT / len(rows.transient) / len(transient)  # Huber's ½ is outside
        x = _at_4_bits(transient, layer, settings, True)
        gram += share * (x.T @ x)
        cross += share * (x.T @ (transient @ beside))
    return gram, cross


def _descend(
    start: Int4Weight, gram: Floats, cross: Floats, metric: Floats, step: float
) -> Int4Weight:
    """Gradient descent on codes and scales; the best rounded weights on the way."""
    groups, outputs = start.scale_codes.shape
    first = decode(start.scale_codes)
    codes = unpack(start.packed)
    latent, scales = codes.astype(np.float64), start.scale_codes
    power = np.maximum(np.diag(gram), 1e-9)[:, None]  # each input steps by its own curvature
    narrow = gram.astype(np.float32)  # twice as fast, and finer than a code by far
    stretch = np.ones_like(first)
    least, best = np.inf, (codes, scales)
    for count in range(_STEPS + 1):
        codes = np.clip(np.rint(latent), -LARGEST, LARGEST).astype(np.int8)
        scales = encode(first * stretch)
        worth = np.repeat(decode(scales), start.group, axis=0)
        dense = codes * worth
        downhill = cross - narrow @ dense.astype(np.float32)
        error = -float(((cross + downhill) * dense).sum(axis=0) @ metric**2)
        if error < least:
            least, best = error, (codes, scales)
        rest = 1.0 - count / _STEPS
        latent += rest * step * downhill / (power * worth)  # straight through the rounding
        np.clip(latent, -LARGEST - 0.49, LARGEST + 0.49, out=latent)
        shape = (groups, start.group, outputs)
        slope = (codes * downhill).reshape(shape).sum(axis=1)
        bend = np.maximum(
            (codes * codes.astype(np.float64) * power).reshape(shape).sum(axis=1), 1e-9
        )
        stretch = np.clip(stretch + rest * _SCALE_STEP * slope / (bend * first), *_SCALE_RANGE)
    return Int4Weight(packed=pack(best[0]), scale_codes=best[1])


def _at_4_bits(
    x: Float32s, layer: DualPathWeights, settings: QuantizationConfig, is_transient: bool
) -> Floats:
    """What the rounded inputs stand for, `[M, K]`."""
    steady = layer.steady.astype(np.float32)
    is_wide = is_transient or layer.is_wide
    quantized = quantize(x, steady, np.full(x.shape[0], is_wide), settings.activation)
    worth = np.repeat(quantized.scales.astype(np.float64), layer.weight.group, axis=1)
    return quantized.codes * worth
