"""One hop of many streams: the compiled call against its definition in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear.reference import Operands
from taolora_ros.kernels.rotate.reference import units
from taolora_ros.kernels.stream_step import packing, reference
from taolora_ros.kernels.stream_step.cpu import stream_step
from taolora_ros.kernels.stream_step.operands import Block, Correction, Layer, StreamOperands
from taolora_ros.quantization.int4 import padded

HOPS = 24


def layer(
    rng: np.random.Generator, inputs: int, outputs: int, *, group: int, rank: int, dense: bool
) -> Layer:
    groups = inputs // group
    codes = rng.integers(-7, 8, (groups, group, outputs)).astype(np.float32)
    scales = (rng.uniform(0.1, 0.3, (groups, outputs)) / np.sqrt(inputs)).astype(np.float32)
    return Layer(
        units=units(rng.integers(-8, 9, inputs).astype(np.int8), group),
        steady=np.full(groups, 0.4, np.float32),
        linear=Operands(
            codes=codes,
            scales=scales,
            down=(rng.normal(size=(inputs, rank)) / 16).astype(np.float16).astype(np.float32),
            up=(rng.normal(size=(rank, outputs)) / 16).astype(np.float16).astype(np.float32),
            bias=(rng.normal(size=outputs) / 16).astype(np.float32),
        ),
        is_wide=bool(rng.random() < 0.3),
        dense=(codes * scales[:, None]).reshape(inputs, outputs) if dense else None,
    )


def network(
    *,
    patch: int = 4,
    inputs: int = 5,
    channels: int = 3,
    order: int = 10,
    blocks: int | None = 2,
    kernel: int = 3,
    group: int = 32,
    rank: int = 2,
    dense: bool = False,
    activation: Activation = Activation.TIME_AWARE,
) -> StreamOperands:
    """A network with random weights; without a correction where `blocks` is None."""
    rng = np.random.default_rng(inputs + order)
    width = max(32, group)

    def make(rows: int, columns: int) -> Layer:
        return layer(rng, rows, columns, group=group, rank=rank, dense=dense)

    def block(index: int) -> Block:
        return Block(
            taps=(rng.normal(size=(kernel, width)) / 4).astype(np.float32),
            dilation=kernel**index,
            gain=rng.uniform(0.5, 1.5, width).astype(np.float32),
            expand=make(width, 4 * width),
            contract=make(2 * width, width),
        )

    correction = None
    if blocks is not None:
        correction = Correction(
            embed=make(padded(inputs, group) + padded(patch * inputs, group), width),
            blocks=tuple(block(index) for index in range(blocks)),
            gain=np.ones(width, np.float32),
            head=make(width, patch * inputs),
        )
    return StreamOperands(
        patch=patch,
        group=group,
        activation=activation,
        spread=rng.uniform(0.1, 0.5, inputs).astype(np.float32),
        own=(rng.normal(size=(order, inputs)) / 8).astype(np.float32),
        skip=make(padded(inputs, group) + padded((order - 1) * inputs, group), inputs),
        correction=correction,
        relation=make(padded(4 * channels, group), channels) if channels else None,
        lags=(0, 1, 3, 7),
        rms_floor=1e-6,
    )


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
def test_a_hop_is_what_the_reference_says(streams: int, shape: dict[str, Any]) -> None:
    operands = network(**shape)
    packed, rng = packing.pack(operands), np.random.default_rng(streams)
    state = packing.start(packed, streams)
    size = (streams, operands.patch, operands.inputs)
    departure = np.empty((*size[:2], operands.channels), np.float32)
    prediction = np.empty(size, np.float32)
    state.work[:] = np.nan
    state.rounded[:] = -128
    errors = []
    for hop in range(HOPS):
        patches = np.cumsum(rng.normal(size=size) * 0.3, axis=1).astype(np.float32)
        patches[0, -1, 0] += 50.0 * (hop == 9)
        is_transient = rng.random(streams) < 0.5
        if hop in (6, 17):
            state.reset(packed, streams - 1)
        before = as_reference(operands, packed, state)
        prediction[:], departure[:] = np.nan, np.nan
        stream_step(packed, state, patches, is_transient, prediction, departure)
        expected = reference.stream_step(operands, before, patches, is_transient)
        assert _error(prediction, expected.prediction) <= 1e-5
        assert _error(departure, expected.departure) <= 1e-5
        after = as_reference(operands, packed, state)
        np.testing.assert_array_equal(after.past, before.past)
        errors.append(_error(after.pending, before.pending))
        errors.extend(map(_error, after.tokens, before.tokens))
    # Where an inner layer's input lies between two codes, its last bit decides which: a rare
    # token differs by what one code is worth.
    assert np.mean(np.array(errors) <= 1e-5) >= 0.9
    assert max(errors) <= 0.05


def as_reference(
    operands: StreamOperands, packed: packing.Packed, state: packing.State
) -> reference.State:
    """The same state as the reference holds it: rings from their oldest token on."""
    streams, first, tokens = len(state.is_empty), 0, []
    blocks = () if operands.correction is None else operands.correction.blocks
    for block, place in zip(blocks, state.places, strict=True):
        shape = (streams, block.reach, block.taps.shape[1])
        ring = state.rings[first : first + np.prod(shape)].reshape(shape)
        tokens.append(np.roll(ring, -place, axis=1))
        first += ring.size
    past = state.past[:, : operands.history].copy()
    return reference.State(past, state.is_empty.copy(), tokens, state.pending.copy())


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference beside the largest magnitude."""
    scale = np.abs(expected).max(initial=0.0)
    return float(np.abs(found - expected).max(initial=0.0) / scale) if scale else 0.0


@pytest.mark.parametrize('streams', [3, packing.TOGETHER + 1])
def test_streams_do_not_know_each_other(streams: int) -> None:
    operands = network()
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
    state = packing.start(packed, patches.shape[1])
    departure = np.empty((*patches.shape[1:3], 3), np.float32)
    found = np.empty_like(patches)
    for hop, patch in enumerate(patches):
        stream_step(packed, state, patch, masks[hop], found[hop], departure)
    return found


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused_before_they_are_taken(value: float) -> None:
    operands = network(channels=0)
    packed = packing.pack(operands)
    state = packing.start(packed, 1)
    patches = np.zeros((1, 4, 5), np.float32)
    patches[0, 3, 4] = value
    with pytest.raises(AssertionError, match='ingest'):
        stream_step(
            packed, state, patches, np.zeros(1, bool), patches.copy(), np.empty((1, 4, 0), 'f4')
        )
    assert state.is_empty.all()
