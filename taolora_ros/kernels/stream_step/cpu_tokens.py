"""The correction of all streams' tokens on the CPU: convolution rings and gated MLPs."""

from __future__ import annotations

import numpy as np

from taolora_ros.kernels.jit import ANY_ORDER, FUSED, copy, jit
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights, apply, inputs_of, matrix
from taolora_ros.samples import Bools, Float32s, Ints

_ONE = np.float32(1.0)
_LOG2_E = np.float32(np.log2(np.e))
_ROUND = np.float32(1.5 * 2.0**23)  # added and taken away it rounds to the nearest integer
_BIAS, _MANTISSA = np.int32(127), np.int32(23)  # of a float32's exponent
_LOWEST, _HIGHEST = np.float32(-126.0), np.float32(116.0)  # exponents; the first still normal
# Taylor coefficients ln(2)^k / k! of 2^f; within half an octave the next one adds 5e-9.
_C1, _C2, _C3, _C4, _C5, _C6, _C7 = (
    np.float32(np.log(2.0) ** k / np.prod(np.arange(1.0, k + 1))) for k in range(1, 8)
)


@jit(FUSED)
def correct(
    weights: Weights,
    scratch: Scratch,
    rings: Float32s,
    places: Ints,
    first: int,
    total: int,
    is_transient: Bools,
    pending: Float32s,
) -> None:
    """Correct the patches after these of some streams; the embedding's inputs are in scratch.

    Args:
        weights: the network.
        scratch: memory to work in.
        rings: of `packing.State`, as `places`; of all streams.
        places: see there; left as they are.
        first: of these streams among all.
        total: how many all are.
        is_transient: `[S]` the mask.
        pending: `[S, P, I]` overwritten.
    """
    floats, sizes, (streams, patch, inputs) = weights.floats, weights.sizes, pending.shape
    width, hidden, floor = sizes[at.WIDTH], sizes[at.HIDDEN], weights.floats[sizes[at.FLOOR]]
    token = matrix(scratch.work, scratch.starts[at.TOKEN], streams, width)
    y = apply(weights, scratch, at.EMBED, is_transient, streams)
    for s in range(streams):
        copy(token[s], y[s, :width])
    layer = at.FIRST_BLOCK
    for b in range(sizes[at.BLOCKS]):
        ring = weights.blocks[b, at.RING] * total + first * (ring_length(weights, b) * width)
        _convolve(weights, scratch, rings[ring:], places[b], b, token)
        gain = floats[weights.blocks[b, at.BLOCK_GAIN] : weights.blocks[b, at.BLOCK_GAIN] + width]
        x = inputs_of(weights, scratch, layer, streams)
        for s in range(streams):
            _normalize(token[s], gain, floor, x[s])
        y = apply(weights, scratch, layer, is_transient, streams)
        x = inputs_of(weights, scratch, layer + 1, streams)
        for s in range(streams):
            _gate(y[s, :hidden], y[s, hidden : 2 * hidden], x[s])
        y = apply(weights, scratch, layer + 1, is_transient, streams)
        for s in range(streams):
            for j in range(width):
                token[s, j] += y[s, j]
        layer += 2
    gain = floats[sizes[at.GAIN] : sizes[at.GAIN] + width]
    spread = floats[sizes[at.SPREAD] : sizes[at.SPREAD] + inputs]
    x = inputs_of(weights, scratch, layer, streams)
    for s in range(streams):
        _normalize(token[s], gain, floor, x[s])
    y = apply(weights, scratch, layer, is_transient, streams)
    for s in range(streams):
        for p in range(patch):
            line, target = y[s, p * inputs : (p + 1) * inputs], pending[s, p]
            for i in range(inputs):
                target[i] = line[i] * spread[i]


@jit(FUSED)
def _convolve(
    weights: Weights,
    scratch: Scratch,
    rings: Float32s,
    place: int,
    block: int,
    token: Float32s,
) -> None:
    """Add the block's convolution to the tokens `[S, d]`, and remember them as they were.

    `rings` begin with that of the first of these streams.
    """
    (streams, width), table = token.shape, weights.blocks[block]
    kernel, dilation = weights.sizes[at.KERNEL], table[at.DILATION]
    taps = matrix(weights.floats, table[at.TAPS], kernel, width)
    reach = ring_length(weights, block)
    first = scratch.starts[at.CONVOLVED]
    total = scratch.work[first : first + width]
    for s in range(streams):
        now = token[s]
        for j in range(width):
            total[j] = now[j] + taps[0, j] * now[j]
        if reach > 0:
            ring = matrix(rings, s * reach * width, reach, width)
            for lag in range(1, kernel):
                then, tap = ring[(place + reach - lag * dilation) % reach], taps[lag]
                for j in range(width):
                    total[j] += tap[j] * then[j]
            copy(ring[place], now)
        copy(now, total)


@jit()
def ring_length(weights: Weights, block: int) -> int:
    """Tokens that a ring of the block holds."""
    length: int = (weights.sizes[at.KERNEL] - 1) * weights.blocks[block, at.DILATION]
    return length


@jit()
def turn_rings(weights: Weights, places: Ints) -> None:
    """The next token is written one place further, in all rings of a block alike."""
    for block in range(places.shape[0]):
        length = ring_length(weights, block)
        if length > 0:
            places[block] = (places[block] + 1) % length


@jit(FUSED)
def _normalize(token: Float32s, gain: Float32s, floor: np.float32, x: Float32s) -> None:
    """The token `[d]` at a root mean square of 1, times the gain."""
    scale = _ONE / np.sqrt(_power(token) / np.float32(token.shape[0]) + floor)
    for j in range(token.shape[0]):
        x[j] = token[j] * scale * gain[j]


@jit(ANY_ORDER)
def _power(values: Float32s) -> np.float32:
    total = np.float32(0.0)
    for j in range(values.shape[0]):
        total += values[j] * values[j]
    return total


@jit(FUSED)
def _gate(gate: Float32s, value: Float32s, x: Float32s) -> None:
    """silu(gate) · value, `[E]`.

    exp(−a) is 2ⁿ·2^f with n whole and |f| ≤ ½: n becomes the exponent's bits of a float, 2^f a
    polynomial. A call of the C library for each would keep the compiler from making vectors.
    """
    bits = x.view(np.int32)
    for j in range(gate.shape[0]):
        octaves = max(min(-gate[j] * _LOG2_E, _HIGHEST), _LOWEST)
        bits[j] = (np.int32((octaves + _ROUND) - _ROUND) + _BIAS) << _MANTISSA
    for j in range(gate.shape[0]):
        octaves = max(min(-gate[j] * _LOG2_E, _HIGHEST), _LOWEST)
        f = octaves - ((octaves + _ROUND) - _ROUND)
        power = _C4 + f * (_C5 + f * (_C6 + f * _C7))
        power = _ONE + f * (_C1 + f * (_C2 + f * (_C3 + f * power)))
        x[j] = gate[j] / (_ONE + power * x[j]) * value[j]
