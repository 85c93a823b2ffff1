"""A hop of many streams on the GPU against its definition; without a GPU, interpreted."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.errors import DeviceError
from taolora_ros.kernels.stream_step import reference
from taolora_ros.kernels.stream_step.operands import StreamOperands

torch = pytest.importorskip('torch')
pytest.importorskip('triton')
gpu = pytest.importorskip('taolora_ros.kernels.stream_step.gpu')
CompilationError = pytest.importorskip('triton.compiler.errors').CompilationError
errors = pytest.importorskip('triton.runtime.errors')

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
Network = Callable[..., StreamOperands]
Error = Callable[[np.ndarray, np.ndarray], float]

HOPS = 6


@pytest.mark.parametrize(
    ('streams', 'shape'),
    [
        (1, {'blocks': 2}),
        (17, {'blocks': None, 'patch': 2}),
        (2, {'blocks': 0}),
        (3, {'channels': 0, 'kernel': 1}),
        (2, {'channels': 5, 'order': 1, 'patch': 1}),
        (1, {'inputs': 33, 'channels': 33, 'patch': 3, 'rank': 12, 'order': 3}),
        (2, {'rank': 0}),
        (2, {'group': 8, 'hidden': 40}),
        (1, {'group': 64, 'hidden': 128}),
        *((2, {'activation': activation, 'channels': 0}) for activation in Activation),
    ],
    ids=str,
)
def test_a_hop_is_what_the_reference_says(
    streams: int, shape: dict[str, Any], network: Network, error: Error
) -> None:
    operands, rng = network(**shape), np.random.default_rng(streams)
    ours = gpu.GpuStreams(operands, streams=streams, device=DEVICE)
    state = reference.start(operands, streams)
    predictions = []
    for hop in range(HOPS):
        patches = rng.normal(size=(streams, operands.patch, operands.inputs)).astype(np.float32)
        patches[0, -1, 0] += 50.0 * (hop == 3)
        mask = np.full(streams, hop == 1) | ((rng.random(streams) < 0.5) & (hop > 1))
        if hop == 4:
            state.reset(streams - 1)
            ours.reset(streams - 1)
        ours.prediction[:], ours.departure[:] = np.nan, np.nan
        ours.step(patches, mask)
        expected = reference.stream_step(operands, state, patches, mask)
        assert error(ours.departure, expected.departure) <= 1e-5
        predictions.append(error(ours.prediction, expected.prediction))
    # Where an inner layer's input lies between two codes, its last bit decides which: a rare
    # correction differs by what one code is worth. The skip has no inner layer.
    assert np.median(predictions) <= 1e-5
    assert max(predictions) <= (1e-5 if operands.correction is None else 0.05)


def test_streams_do_not_know_each_other(network: Network) -> None:
    operands, rng = network(), np.random.default_rng(0)
    patches = rng.normal(size=(2, 18, 4, 5)).astype(np.float32)
    mask = np.arange(18) % 3 == 0
    together = gpu.GpuStreams(operands, streams=18, device=DEVICE)
    alone = gpu.GpuStreams(operands, streams=1, device=DEVICE)
    for patch in patches:
        together.step(patch, mask)
        alone.step(patch[17:], mask[17:])
        np.testing.assert_array_equal(alone.prediction[0], together.prediction[17])
        np.testing.assert_array_equal(alone.departure[0], together.departure[17])


def test_a_reset_starts_all_streams_anew(network: Network) -> None:
    operands, rng = network(), np.random.default_rng(0)
    ours = gpu.GpuStreams(operands, streams=2, device=DEVICE)
    patches = rng.normal(size=(2, 2, 4, 5)).astype(np.float32)
    answers = []
    for _ in range(2):
        ours.reset()
        for patch in patches:
            ours.step(patch, np.zeros(2, bool))
            answers.append(ours.prediction.copy())
    np.testing.assert_array_equal(answers[:2], answers[2:])


def test_buffers_are_told_by_what_they_hold(network: Network) -> None:
    operands = network(blocks=None, channels=0)
    buffers = gpu.GpuStreams(operands, streams=3, device=DEVICE).buffers
    assert buffers['inputs and outputs'] == 3 + 2 * 3 * 4 * 5 * 4 + 4  # mask, patches, answers
    assert buffers['state'] == 3 * 3 * 8 + 3 * 16 * 5 * 4 + 2 * 3 * 4 * 5 * 4 + 4


def test_groups_that_would_spill_registers_are_refused_with_a_remedy(network: Network) -> None:
    operands = network(blocks=None, channels=0, group=128)
    with pytest.raises(DeviceError, match=r'group: 128 .*device to cpu, or train with at most 64'):
        gpu.GpuStreams(operands, streams=1, device=DEVICE)


@pytest.mark.parametrize(
    ('failure', 'said'),
    [
        (RuntimeError('CUDA error: unspecified launch failure\nmore'), 'launch failure more'),
        (CompilationError('x = 1\n' * 99, None, 'no such type'), r'failed: no such type;'),
        (
            errors.OutOfResources(200_000, 100_000, 'shared memory'),
            'out of resource: shared memory',
        ),
        (errors.PTXASError('ptxas fatal'), 'ptxas fatal'),
        (subprocess.CalledProcessError(1, 'gcc'), "Command 'gcc' returned"),
        (OSError('No space left on device'), 'No space left'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_fails_in_a_hop_is_said_in_one_line(
    failure: Exception, said: str, monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    operands = network(blocks=None, channels=0)
    ours = gpu.GpuStreams(operands, streams=1, device=DEVICE)

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(ours, '_graph', None)
    monkeypatch.setattr(ours, '_hop', fail)
    with pytest.raises(DeviceError, match=said) as caught:
        ours.step(np.zeros((1, operands.patch, operands.inputs), np.float32), np.zeros(1, bool))
    assert '\n' not in str(caught.value)
    assert str(caught.value).endswith('set device to cpu')


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA device')
def test_a_device_that_is_absent_is_an_error_of_the_device(network: Network) -> None:
    with pytest.raises(DeviceError, match='the GPU engine failed'):
        gpu.GpuStreams(network(blocks=None, channels=0), streams=1, device='cuda')


def test_a_reset_that_fails_is_an_error_of_the_device(
    monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    ours = gpu.GpuStreams(network(blocks=None, channels=0), streams=1, device=DEVICE)

    class Lost:
        def zero_(self) -> None:
            raise RuntimeError('CUDA error: device lost')

    monkeypatch.setattr(ours, '_hops', Lost())
    with pytest.raises(DeviceError, match='device lost'):
        ours.reset()


def test_the_fp32_twin_is_refused_with_a_remedy(network: Network) -> None:
    operands = network(blocks=None, channels=0)
    dense = np.zeros((operands.skip.inputs, operands.skip.outputs), np.float32)
    twin = dataclasses.replace(operands, skip=dataclasses.replace(operands.skip, dense=dense))
    with pytest.raises(DeviceError, match='take the CPU'):
        gpu.GpuStreams(twin, streams=1, device=DEVICE)
