"""The correction of some tokens on the CPU: convolution rings and gated MLPs.

Tokens are either one of each of some streams, or some of one stream, one after the other.
"""

from __future__ import annotations

from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.stream_step import memory
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.kernels.stream_step.cpu_features import convolve, fetch, gate, normalize
from taolora_ros.kernels.stream_step.cpu_layers import Scratch, Weights, apply
from taolora_ros.kernels.stream_step.cpu_moves import place, product, total
from taolora_ros.samples import Bools, Float32s, Ints


@jit
def correct(
    weights: Weights,
    scratch: Scratch,
    rings: Float32s,
    places: Ints,
    streams: int,
    first: int,
    is_run: bool,
    is_transient: Bools,
    correction: Float32s,
) -> None:
    """Correct the patches after some tokens, whose embedding's inputs are in scratch memory.

    Args:
        weights: the network.
        scratch: memory to work in.
        rings: of `memory.State`, as `places`; of all streams.
        places: see there; left as they are.
        streams: how many there are.
        first: the stream of the first token.
        is_run: whether the tokens follow each other, or are one each of neighboring streams.
        is_transient: `[n]` the mask.
        correction: `[n, P, I]` overwritten.
    """
    work, floats, sizes = scratch.work, weights.floats, weights.sizes
    tokens, patch, inputs = correction.shape
    width, hidden, floor = sizes[at.WIDTH], sizes[at.HIDDEN], floats[sizes[at.FLOOR]]
    token, embedded = scratch.starts[memory.TOKEN], scratch.starts[memory.EMBEDDED]
    x, y = scratch.starts[memory.X], scratch.starts[memory.Y]
    apply(weights, scratch, at.EMBED, embedded, is_transient, 1)
    place(work, token, width, work, y, weights.layers[at.EMBED, at.OUTPUTS], tokens, width)
    layer = at.FIRST_BLOCK
    for b in range(sizes[at.BLOCKS]):
        block, length = weights.blocks[b], ring_length(weights, b)
        for n in range(tokens):
            stream = first if is_run else first + n
            newest = (places[b] + n) % length if is_run and length > 0 else places[b]
            ring = block[at.RING] * streams + stream * width
            convolve(
                work, token + n * width, floats, block[at.TAPS], rings, ring, streams * width,
                newest, length, block[at.DILATION], sizes[at.KERNEL], width,
            )  # fmt: skip
            line, features = x + n * width, token + n * width
            normalize(work, line, work, features, floats, block[at.BLOCK_GAIN], floor, width)
        apply(weights, scratch, layer, x, is_transient, 1)
        outputs = weights.layers[layer, at.OUTPUTS]
        for n in range(tokens):
            gates = y + n * outputs
            gate(work, x + n * hidden, work, gates, work, gates + hidden, hidden)
            if not is_run and b + 1 < sizes[at.BLOCKS]:
                _fetch_ring(weights, rings, places, streams, first + n, b + 1)
        apply(weights, scratch, layer + 1, x, is_transient, 1)
        outputs = weights.layers[layer + 1, at.OUTPUTS]
        total(work, token, width, work, token, width, work, y, outputs, tokens, width)
        layer += 2
    for n in range(tokens):
        line, features = x + n * width, token + n * width
        normalize(work, line, work, features, floats, sizes[at.GAIN], floor, width)
    apply(weights, scratch, layer, x, is_transient, 1)
    outputs, target = weights.layers[layer, at.OUTPUTS], correction.reshape(-1)
    for n in range(tokens):
        line, to, spread = y + n * outputs, n * patch * inputs, sizes[at.SPREAD]
        product(target, to, inputs, work, line, inputs, floats, spread, 0, patch, inputs)


@jit
def _fetch_ring(
    weights: Weights, rings: Float32s, places: Ints, streams: int, stream: int, b: int
) -> None:
    """Ask for what block `b` reads of a stream's past; the rings of many exceed the L2 cache."""
    block, width, length = weights.blocks[b], weights.sizes[at.WIDTH], ring_length(weights, b)
    ring, kernel = block[at.RING] * streams + stream * width, weights.sizes[at.KERNEL]
    fetch(rings, ring, streams * width, places[b], length, block[at.DILATION], kernel, width)


@jit
def ring_length(weights: Weights, block: int) -> int:
    """Tokens that a ring of the block holds."""
    length: int = (weights.sizes[at.KERNEL] - 1) * weights.blocks[block, at.DILATION]
    return length


@jit
def turn_rings(weights: Weights, places: Ints, tokens: int) -> None:
    """The next token is written so many places further, in all rings of a block alike."""
    for block in range(places.shape[0]):
        length = ring_length(weights, block)
        if length > 0:
            places[block] = (places[block] + tokens) % length
