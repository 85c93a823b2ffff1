"""One hop of the network for S streams: the definition, in plain NumPy.

    x̂[t]   = x[t−1] + σ ⊙ (Σ_j own[j] ⊙ D_j + skip(D_0, …, D_order−1)) + ŷ[t]
             D_0 = x[t−1],  D_j = (x[t−j] − x[t−j−1]) / σ
    ŷ[n+1] = σ ⊙ head(rms(h) ⊙ gain)                  P rows of the patch after this one
             h₀ = embed(x[last], D of the P rows);  per block, with c the causal convolution
             a = expand(rms(h + c) ⊙ gain);  h ← h + c + contract(silu(a₁) ⊙ a₂)
    δ[t]   = x[t] − relation(x[t], x[t−1], …)         on the first C inputs, at the lags

A segment's past is its first row, held; its tokens' past is zero. Inputs of skip and embedding
are padded to whole groups, levels apart from differences; the relation's as one.

S streams; other letters as in `operands`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear.reference import dual_path_linear
from taolora_ros.kernels.quantize.reference import quantize
from taolora_ros.kernels.rotate.reference import rotate
from taolora_ros.kernels.stream_step.operands import Block, Correction, Layer, StreamOperands
from taolora_ros.quantization.int4 import padded
from taolora_ros.samples import Bools, Float32s


@dataclass(slots=True, eq=False)
class State:
    """What a hop leaves to the next one; arrays are replaced, not written to."""

    past: Float32s  # [S, H, I] the newest rows
    is_empty: Bools  # [S] whether the next patch starts a segment
    tokens: list[Float32s]  # of each block [S, reach, d], the newest token last
    pending: Float32s  # [S, P, I] correction of the next patch

    def reset(self, stream: int) -> None:
        """Forget one stream's past."""
        self.is_empty[stream] = True
        self.pending[stream] = 0.0
        for past in self.tokens:
            past[stream] = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What one hop says of its patch."""

    prediction: Float32s  # [S, P, I]
    departure: Float32s  # [S, P, C] δ


def start(operands: StreamOperands, streams: int) -> State:
    """The state before the first patch of every stream."""
    blocks = () if operands.correction is None else operands.correction.blocks
    inputs = operands.inputs
    return State(
        past=np.zeros((streams, operands.history, inputs), np.float32),
        is_empty=np.ones(streams, bool),
        tokens=[
            np.zeros((streams, block.reach, block.taps.shape[1]), np.float32) for block in blocks
        ],
        pending=np.zeros((streams, operands.patch, inputs), np.float32),
    )


def stream_step(
    operands: StreamOperands, state: State, patches: Float32s, is_transient: Bools
) -> Forecast:
    """Take one patch of each stream in.

    Args:
        operands: the network.
        state: from `start`; moved on.
        patches: `[S, P, I]` float32, finite.
        is_transient: `[S]` the mask: streams whose token takes the low-rank path as well.
    """
    state.past = np.where(state.is_empty[:, None, None], patches[:, :1], state.past)
    state.is_empty = np.zeros_like(state.is_empty)
    rows = np.concatenate([state.past, patches], axis=1)  # [S, H + P, I]
    differences = (rows[:, 1:] - rows[:, :-1]) / operands.spread  # [:, i] leads to row i + 1
    prediction = _skip(operands, rows, differences, is_transient) + state.pending
    if operands.correction is not None:
        x = _sections(operands.group, patches[:, -1], differences[:, -operands.patch :])
        correction = _correct(operands, operands.correction, state, x, is_transient)
        state.pending = correction.reshape(patches.shape) * operands.spread
    departure = np.zeros((*patches.shape[:2], 0), np.float32)
    if operands.relation is not None:
        seen = rows[:, :, : operands.channels]
        first = operands.history + np.arange(operands.patch)
        lagged = np.stack([seen[:, first - lag] for lag in operands.lags], axis=2)
        related = _each_row(operands, operands.relation, lagged, is_transient)
        departure = patches[:, :, : operands.channels] - related
    state.past = rows[:, operands.patch :]
    return Forecast(prediction, departure)


def _skip(
    operands: StreamOperands, rows: Float32s, differences: Float32s, is_transient: Bools
) -> Float32s:
    lines = []
    for row in range(operands.history, rows.shape[1]):
        before = differences[:, row - operands.order : row - 1]  # lead to the rows before this one
        lines.append(_sections(operands.group, rows[:, row - 1], before[:, ::-1]))
    x = np.stack(lines, axis=1)
    y = _each_row(operands, operands.skip, x, is_transient)
    inputs, level = operands.inputs, padded(operands.inputs, operands.group)
    y += operands.own[0] * x[:, :, :inputs]
    for lag in range(1, operands.order):
        column = level + (lag - 1) * inputs
        y += operands.own[lag] * x[:, :, column : column + inputs]
    predicted: Float32s = rows[:, operands.history - 1 : -1] + operands.spread * y
    return predicted


def _sections(group: int, level: Float32s, differences: Float32s) -> Float32s:
    """Rows `[S, K]` of levels `[S, I]` and differences `[S, n, I]`, each padded."""
    streams = level.shape[0]
    both = []
    for part in (level, differences.reshape(streams, -1)):
        width = padded(part.shape[1], group)
        both.append(np.pad(part, ((0, 0), (0, width - part.shape[1]))))
    return np.concatenate(both, axis=1)


def _correct(
    operands: StreamOperands,
    correction: Correction,
    state: State,
    x: Float32s,
    is_transient: Bools,
) -> Float32s:
    def run(layer: Layer, inputs: Float32s) -> Float32s:
        return apply(layer, inputs, is_transient, operands.activation, operands.group)

    def rms(values: Float32s) -> Float32s:
        power = np.mean(values * values, axis=1, keepdims=True)
        scaled: Float32s = values / np.sqrt(power + np.float32(operands.rms_floor))
        return scaled

    hidden: Float32s = run(correction.embed, x)
    for index, block in enumerate(correction.blocks):
        hidden = hidden + _convolve(block, state, index, hidden)
        gate, value = np.split(run(block.expand, rms(hidden) * block.gain), 2, axis=1)
        hidden = hidden + run(block.contract, _silu(gate) * value)
    return run(correction.head, rms(hidden) * correction.gain)


def _convolve(block: Block, state: State, index: int, hidden: Float32s) -> Float32s:
    seen = np.concatenate([state.tokens[index], hidden[:, None]], axis=1)
    state.tokens[index] = seen[:, 1:]
    convolved: Float32s = block.taps[0] * hidden
    for lag in range(1, block.taps.shape[0]):
        convolved = convolved + block.taps[lag] * seen[:, block.reach - lag * block.dilation]
    return convolved


def _silu(values: Float32s) -> Float32s:
    bounded = np.clip(values, -80.0, None)  # exp stays within float32
    return values / (np.float32(1.0) + np.exp(-bounded))


def _each_row(
    operands: StreamOperands, layer: Layer, x: Float32s, is_transient: Bools
) -> Float32s:
    """Apply a layer to the P rows of every stream, `[S, P, …]`, padded to K at their end."""
    streams, patch = x.shape[:2]
    flat = x.reshape(streams * patch, -1)
    rows = np.pad(flat, ((0, 0), (0, layer.inputs - flat.shape[1])))
    mask = np.repeat(is_transient, patch)
    y = apply(layer, rows, mask, operands.activation, operands.group)
    return y.reshape(streams, patch, -1)


def apply(
    layer: Layer, x: Float32s, is_transient: Bools, activation: Activation, group: int
) -> Float32s:
    """Apply one layer to rows `[M, K]` with their mask `[M]`; returns `[M, N]` float32."""
    if layer.dense is not None:
        dense: Float32s = x @ layer.dense + layer.linear.bias
        return dense
    rotated = rotate(x, layer.units, group)
    both_nibbles = is_transient | layer.is_wide
    quantized = quantize(rotated, layer.steady, both_nibbles, activation)
    return dual_path_linear(rotated, quantized, layer.linear, is_transient)
