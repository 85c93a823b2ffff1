"""Every peer computes what our network computes in FP32."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from taolora_ros.errors import ArtifactError
from taolora_ros.evaluation.speed import torch_network
from taolora_ros.evaluation.speed.engine import peers
from taolora_ros.evaluation.speed.folded import Folded, fold
from taolora_ros.evaluation.speed.onnx_peer import onnx_peer
from taolora_ros.evaluation.speed.torch_network import TorchNetwork
from taolora_ros.evaluation.speed.torch_stream import TorchStream, TorchWindow
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.model.base import Precision
from taolora_ros.model.compiled import CompiledNetwork
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.network import Network
from taolora_ros.samples import Float32s

BOUND = 2e-5  # other orders of float32 sums, on predictions of size 1


@pytest.fixture(scope='module')
def exact(workload: Workload) -> Float32s:
    """Our FP32 predictions, `[n, P, I]`."""
    config = workload.network.config
    network = Network(
        workload.network, build=at_precision(Precision.FP32, config.quantization.activation)
    )
    steady = np.zeros(workload.is_transient.shape[0], bool)
    return network.run(workload.rows, steady).reshape(workload.patches.shape)


@pytest.fixture(scope='module')
def folded(workload: Workload) -> Folded:
    return fold(workload.network)


def test_the_network_reaches_as_far_back_as_its_taps(folded: Folded) -> None:
    assert folded.reach == 1 + 1 + 2  # kernel 2 at dilations 1 and 2


def test_onnx_runtime_and_torch_over_a_window_give_our_numbers(
    workload: Workload, exact: Float32s
) -> None:
    every = peers(workload)
    assert set(every) == {'onnxruntime_fp32', 'onnxruntime_int8', 'torch_eager'}
    for name in ('onnxruntime_fp32', 'torch_eager'):
        predictions = [every[name].step(patch, False) for patch in workload.patches]
        # The window of 8 tokens has filled; the row before it, and the pending correction, too.
        np.testing.assert_allclose(predictions[10:], exact[10:], atol=BOUND, err_msg=name)


def test_our_compiled_engine_gives_the_same_numbers(workload: Workload, exact: Float32s) -> None:
    engine = CompiledNetwork(workload.network, precision=Precision.FP32)
    predictions = [engine.step(patch, False) for patch in workload.patches]
    np.testing.assert_allclose(predictions, exact, atol=BOUND)


def test_int8_is_near_and_not_equal(workload: Workload, folded: Folded, exact: Float32s) -> None:
    rounded = onnx_peer(folded, tokens=8, int8=True)
    predictions = np.array([rounded.step(patch, False) for patch in workload.patches])
    error = np.abs(predictions[10:] - exact[10:]).mean()
    assert 1e-4 < error < 0.2 * np.abs(exact[10:]).mean()


@pytest.mark.parametrize('piece', [7, 512])
def test_torch_over_a_whole_recording_gives_our_numbers(
    piece: int,
    workload: Workload,
    folded: Folded,
    exact: Float32s,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch_network, '_PIECE_TOKENS', piece)
    predictions = TorchNetwork(folded).recording(torch.from_numpy(workload.rows)).numpy()
    np.testing.assert_allclose(predictions[40:], exact.reshape(predictions.shape)[40:], atol=BOUND)


@pytest.mark.parametrize('form', [TorchStream, lambda network: TorchWindow(network, 8)])
def test_torch_hop_by_hop_gives_our_numbers(
    form: Callable[[TorchNetwork], TorchStream | TorchWindow],
    workload: Workload,
    folded: Folded,
    exact: Float32s,
) -> None:
    stream = form(TorchNetwork(folded))
    for number, patch in enumerate(workload.patches):
        stream.patch.copy_(torch.from_numpy(patch))
        stream.step()
        if number >= 10:
            np.testing.assert_allclose(stream.prediction.numpy(), exact[number], atol=BOUND)


def test_a_skip_alone_is_no_subject_for_peers(workload: Workload) -> None:
    alone = dataclasses.replace(workload.network, correction=None)
    with pytest.raises(ArtifactError, match='linear skip alone'):
        fold(alone)


def test_folding_needs_the_dense_weights(workload: Workload) -> None:
    skip = workload.network.skip
    bare = dataclasses.replace(skip, linear=dataclasses.replace(skip.linear, dense=None))
    with pytest.raises(ArtifactError, match='without its dense weights'):
        fold(dataclasses.replace(workload.network, skip=bare))
