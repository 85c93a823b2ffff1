"""The network as others would run it: plain dense layers, everything folded that can be.

    x̂[t]   = Σ_j x[t−j]·V_j + v                       the skip as a plain autoregression
    h₀[n]  = (rows of token n and the one before)·E + e
    m      = Σ_k taps[k] ⊙ h[n − k·dilation]            the residual is in the newest tap
    h'[n]  = m + contract(silu(a₁) ⊙ a₂),  a = expand(rms(m))
    ŷ[n+1] = head(rms(h))                               in units of the rows

The same function as `model.network` in FP32 but for the order of sums; differences, σ, gains and
residuals cost a peer nothing at run time.

P rows a patch, I inputs a row, d features, E hidden features, B blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.errors import ArtifactError
from taolora_ros.model.correction import CorrectionWeights, dilation
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.skip import SkipWeights, own_columns
from taolora_ros.quantization.int4 import Halves, padded
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.skip_fit import plain_weights


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """x·weight + bias."""

    weight: Float32s  # [K, N]
    bias: Float32s  # [N]


@dataclass(frozen=True, slots=True, eq=False)
class FoldedBlock:
    """One block."""

    taps: Float32s  # [kernel, d] the newest token first
    dilation: int  # tokens between two taps
    expand: Affine  # d to 2·E
    contract: Affine  # E to d


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """The whole network."""

    order: int
    patch: int  # P
    inputs: int  # I
    skip: Affine  # order·I to I; the oldest row first
    embed: Affine  # (P + 1)·I to d; the oldest row first
    blocks: tuple[FoldedBlock, ...]
    head: Affine  # d to P·I

    @property
    def reach(self) -> int:
        """Tokens that the newest correction depends on."""
        return 1 + sum((len(block.taps) - 1) * block.dilation for block in self.blocks)


def fold(weights: NetworkWeights) -> Folded:
    """Fold a network that has a correction.

    Raises:
        ArtifactError: it has none, or lacks the dense weights of a layer.
    """
    correction, shape = weights.correction, weights.config.model
    if correction is None:
        raise ArtifactError('the model is a linear skip alone; peers are measured on a correction')
    return Folded(
        order=shape.order,
        patch=weights.config.window.patch,
        inputs=weights.inputs,
        skip=_skip(weights.skip, shape.order),
        embed=_embed(correction.embed, weights.skip.spread, weights.config.window.patch),
        blocks=tuple(
            FoldedBlock(
                taps=np.concatenate([block.taps[:1] + np.float32(1.0), block.taps[1:]]),
                dilation=dilation(index, shape),
                expand=_affine(_dense(block.expand) * block.gain[:, None], block.expand.bias),
                contract=_affine(_dense(block.contract), block.contract.bias),
            )
            for index, block in enumerate(correction.blocks)
        ),
        head=_head(correction, weights.skip.spread, weights.config.window.patch),
    )


def _skip(skip: SkipWeights, order: int) -> Affine:
    inputs, group = skip.spread.shape[0], skip.linear.weight.group
    weight = _dense(skip.linear)
    columns = own_columns(inputs=inputs, order=order, group=group)
    weight[columns, np.arange(inputs)] += skip.own.astype(np.float64)
    plain = plain_weights(skip.spread, order=order, group=group) @ weight * skip.spread
    plain[:inputs] += np.eye(inputs)  # the last row, which the skip carries exactly
    oldest_first = plain.reshape(order, inputs, inputs)[::-1].reshape(-1, inputs)
    return _affine(oldest_first, skip.linear.bias * skip.spread)


def _embed(layer: DualPathWeights, spread: Float32s, patch: int) -> Affine:
    inputs = spread.shape[0]
    start = padded(inputs, layer.weight.group)
    weight = _dense(layer)
    level = weight[:inputs]
    steps = weight[start : start + patch * inputs].reshape(patch, inputs, -1) / spread[:, None]
    rows = np.zeros((patch + 1, *level.shape))
    rows[1:] += steps
    rows[:-1] -= steps
    rows[-1] += level
    return _affine(rows.reshape(-1, level.shape[1]), layer.bias)


def _head(correction: CorrectionWeights, spread: Float32s, patch: int) -> Affine:
    units = np.tile(spread, patch)
    weight = _dense(correction.head) * correction.gain[:, None] * units
    return _affine(weight, correction.head.bias * units)


def _dense(layer: DualPathWeights) -> Floats:
    if layer.dense is None:
        raise ArtifactError('a layer was saved without its dense weights; train again with them')
    return layer.dense.astype(np.float64)


def _affine(weight: Floats, bias: Floats | Float32s | Halves) -> Affine:
    return Affine(np.ascontiguousarray(weight, np.float32), np.ascontiguousarray(bias, np.float32))
