"""One hop of many streams: the compiled call against its definition in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.stream_step import memory, packing, reference
from taolora_ros.kernels.stream_step.cpu import run, stream_step
from taolora_ros.kernels.stream_step.operands import StreamOperands

Network = Callable[..., StreamOperands]
Error = Callable[[np.ndarray, np.ndarray], float]

HOPS = 24


@pytest.mark.parametrize('streams', [1, 3])
@pytest.mark.parametrize(
    'shape',
    [
        {},
        {'dense': True},
        {'blocks': None},
        {'blocks': 0},
        {'channels': 0},
        {'channels': 5, 'order': 1, 'patch': 1},
        {'inputs': 33, 'channels': 33, 'patch': 7, 'rank': 12},
        {'kernel': 1, 'rank': 0},
        {'kernel': 4, 'blocks': 3},
        {'group': 8},
        {'group': 64, 'dense': True},
        {'group': 128},
        *({'activation': activation} for activation in Activation),
    ],
    ids=str,
)
def test_a_hop_is_what_the_reference_says(
    streams: int, shape: dict[str, Any], network: Network, error: Error
) -> None:
    operands = network(**{'blocks': 2, **shape})
    packed, rng = packing.pack(operands), np.random.default_rng(streams)
    state, room = memory.start(packed, streams), memory.room(packed, streams)
    size = (streams, operands.patch, operands.inputs)
    departure = np.empty((*size[:2], operands.channels), np.float32)
    prediction = np.empty(size, np.float32)
    room.work[:] = np.nan
    room.rounded[:] = -128
    errors = []
    for hop in range(HOPS):
        patches = np.cumsum(rng.normal(size=size) * 0.3, axis=1).astype(np.float32)
        patches[0, -1, 0] += 50.0 * (hop == 9)
        is_transient = rng.random(streams) < 0.5
        if hop in (6, 17):
            state.reset(packed, streams - 1)
        before = as_reference(operands, packed, state)
        prediction[:], departure[:] = np.nan, np.nan
        stream_step(packed, state, room, patches, is_transient, prediction, departure)
        expected = reference.stream_step(operands, before, patches, is_transient)
        assert error(prediction, expected.prediction) <= 1e-5
        assert error(departure, expected.departure) <= 1e-5
        after = as_reference(operands, packed, state)
        np.testing.assert_array_equal(after.past, before.past)
        errors.append(error(after.pending, before.pending))
        errors.extend(map(error, after.tokens, before.tokens))
    # Where an inner layer's input lies between two codes, its last bit decides which: a rare
    # token differs by what one code is worth.
    assert np.mean(np.array(errors) <= 1e-5) >= 0.9
    assert max(errors) <= 0.05


def as_reference(
    operands: StreamOperands, packed: packing.Packed, state: memory.State
) -> reference.State:
    """The same state as the reference holds it: rings from their oldest token on."""
    streams, first, tokens = len(state.is_empty), 0, []
    blocks = () if operands.correction is None else operands.correction.blocks
    for block, place in zip(blocks, state.places, strict=True):
        shape = (block.reach, streams, block.taps.shape[1])
        ring = state.rings[first : first + np.prod(shape)].reshape(shape)
        tokens.append(np.roll(ring, -place, axis=0).swapaxes(0, 1))
        first += ring.size
    past = state.past[:, : operands.history].copy()
    return reference.State(past, state.is_empty.copy(), tokens, state.pending.copy())


@pytest.mark.parametrize('streams', [3, memory.TOGETHER + 1])
def test_streams_do_not_know_each_other(streams: int, network: Network) -> None:
    operands = network(blocks=2)
    packed = packing.pack(operands)
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(HOPS, streams, 4, 5)).astype(np.float32)
    masks = rng.random((HOPS, streams)) < 0.5
    together = _run(packed, patches, masks)
    for stream in range(streams):
        one = slice(stream, stream + 1)
        alone = _run(packed, np.ascontiguousarray(patches[:, one]), masks[:, one].copy())
        np.testing.assert_array_equal(alone[:, 0], together[:, stream])


def _run(packed: packing.Packed, patches: np.ndarray, masks: np.ndarray) -> np.ndarray:
    streams = patches.shape[1]
    state = memory.start(packed, streams)
    room = memory.room(packed, min(streams, memory.TOGETHER))
    departure = np.empty((*patches.shape[1:3], 3), np.float32)
    found = np.empty_like(patches)
    for hop, patch in enumerate(patches):
        stream_step(packed, state, room, patch, masks[hop], found[hop], departure)
    return found


@pytest.mark.parametrize(
    'shape',
    [
        {},
        {'dense': True},
        {'blocks': None},
        {'blocks': 0, 'channels': 0},
        {'kernel': 1, 'rank': 0},
        {'kernel': 4, 'blocks': 3, 'rank': 11},
        {'inputs': 33, 'channels': 33, 'patch': 7},
        {'channels': 5, 'order': 1, 'patch': 1},
        {'group': 8},
        {'group': 128, 'activation': Activation.PER_TOKEN},
    ],
    ids=str,
)
def test_a_recording_at_once_is_its_hops_to_the_bit(
    shape: dict[str, Any], network: Network
) -> None:
    operands = network(**{'blocks': 2, **shape})
    packed, rng = packing.pack(operands), np.random.default_rng(3)
    count = 2 * memory.TOGETHER + 5
    size = (count, operands.patch, operands.inputs)
    patches, mask = rng.normal(size=size).astype(np.float32), rng.random(count) < 0.3
    forecasts, states = [], []
    for parts in (range(count + 1), (0, 7, 7, count)):
        prediction = np.full(size, np.nan, np.float32)
        departure = np.full((*size[:2], operands.channels), np.nan, np.float32)
        state, room = memory.start(packed, 1), memory.room(packed, 1)
        for first, last in itertools.pairwise(parts):
            part = slice(first, last)
            taken = (patches[part], mask[part], prediction[part], departure[part])
            if len(parts) > count:
                stream_step(packed, state, room, *taken)
            else:
                run(packed, state, *taken)
        forecasts.append((prediction, departure))
        past = state.past[:, : operands.history]
        states.append((past, state.is_empty, state.rings, state.places, state.pending))
    for hops, whole in (*zip(*forecasts, strict=True), *zip(*states, strict=True)):
        np.testing.assert_array_equal(whole, hops)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused_before_they_are_taken(
    value: float, network: Network
) -> None:
    operands = network(blocks=2, channels=0)
    packed = packing.pack(operands)
    state, room = memory.start(packed, 1), memory.room(packed, 1)
    patches = np.zeros((1, 4, 5), np.float32)
    patches[0, 3, 4] = value
    with pytest.raises(AssertionError, match='ingest'):
        stream_step(
            *(packed, state, room, patches, np.zeros(1, bool)),
            *(patches.copy(), np.empty((1, 4, 0), np.float32)),
        )
    with pytest.raises(AssertionError, match='ingest'):
        run(packed, state, patches, np.zeros(1, bool), patches.copy(), np.empty((1, 4, 0), 'f4'))
    assert state.is_empty.all()
