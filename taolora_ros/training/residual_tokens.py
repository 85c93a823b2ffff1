"""The correction's training data: tokens, and the skip's residual of the token after each.

n tokens, K inputs of the embedding, P rows a patch, I inputs a row, S sequences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from taolora_ros.config import Config
from taolora_ros.model.base import Precision
from taolora_ros.model.correction import token_rows
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.skip import SkipWeights
from taolora_ros.samples import Float32s, Floats

CONTEXT = 64  # tokens before a sequence's loss starts
_LENGTH = 192  # tokens of a sequence, context included
_FOLDS = 5  # one part in five is held out


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """One segment as the correction sees it."""

    inputs: Float32s  # [n, K] of the embedding
    targets: Float32s  # [n, P·I] residual of the *next* token, in its normal deviations
    first: int  # token from which targets are valid
    held_out: int  # token from which targets are held out


def residual_scale(segments: Sequence[Float32s], skip: SkipWeights, config: Config) -> Float32s:
    """Deviation `[I]` of the skip's residual without rounding, on normal rows."""
    residuals = np.concatenate([residual(rows, skip, config) for rows in segments])
    deviation: Floats = np.sqrt((residuals.astype(np.float64) ** 2).mean(axis=0))
    floored: Floats = np.maximum(deviation, 1e-3 * skip.spread)
    return floored.astype(np.float32)


def residual(rows: Float32s, skip: SkipWeights, config: Config) -> Float32s:
    """Rows minus the skip's FP32 prediction, for whole patches `[n·P, I]`."""
    patch = config.window.patch
    usable = rows[: rows.shape[0] // patch * patch]
    exact = at_precision(Precision.FP32, config.quantization.activation)
    network = Network(NetworkWeights(config=config, skip=skip), build=exact)
    prediction = network.run(usable, np.zeros(usable.shape[0] // patch, bool))
    error: Float32s = usable - prediction
    return error


def seen_shares(count: int) -> list[float]:
    """Share of each segment, from its start, to train on: whole segments are held out if many."""
    if count < _FOLDS:
        return [1.0 - 1.0 / _FOLDS] * count
    return [0.0 if index % _FOLDS == _FOLDS // 2 else 1.0 for index in range(count)]


def segment_tokens(
    rows: Float32s, skip: SkipWeights, scale: Float32s, seen_share: float, config: Config
) -> Tokens:
    """The tokens of one segment `[T, I]`; `scale` `[I]` is the residual's normal deviation."""
    patch = config.window.patch
    targets = (residual(rows, skip, config) / scale).reshape(-1, patch * rows.shape[1])
    inputs = patch_inputs(rows, skip, config)[:-1]
    count = inputs.shape[0]
    return Tokens(
        inputs=inputs,
        targets=targets[1:],
        first=min(count, math.ceil(config.model.order / patch)),
        held_out=int(count * seen_share),
    )


def patch_inputs(rows: Float32s, skip: SkipWeights, config: Config) -> Float32s:
    """The embedding's input for every whole patch, `[n, K]`."""
    patch = config.window.patch
    usable = rows[: rows.shape[0] // patch * patch]
    seen = np.concatenate([usable[:1], usable])
    return token_rows(seen, skip.spread, patch=patch, group=config.quantization.group)


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Tokens cut into sequences of one length, for batches."""

    inputs: Tensor  # [S, n, K]
    targets: Tensor  # [S, n, P·I]
    counts: Tensor  # [S, n, 1] whether a token's loss counts


def sequences(tokens: Sequence[Tokens], *, held_out: bool) -> Sequences | None:
    """Overlapping sequences of one length, or none; padding and context don't count."""
    inputs, targets, counts = [], [], []
    for part in tokens:
        begin = max(part.held_out, part.first) if held_out else part.first
        end = part.inputs.shape[0] if held_out else part.held_out
        for start in range(begin, end, _LENGTH - CONTEXT):
            low = max(0, start - CONTEXT)
            high = min(start + _LENGTH - CONTEXT, end)
            pad = ((0, _LENGTH - (high - low)), (0, 0))
            inputs.append(np.pad(part.inputs[low:high], pad))
            targets.append(np.pad(part.targets[low:high], pad))
            counted = np.zeros((_LENGTH, 1), np.float32)
            counted[start - low : high - low] = 1.0
            counts.append(counted)
    if not inputs:
        return None
    return Sequences(*(torch.from_numpy(np.stack(part)) for part in (inputs, targets, counts)))
