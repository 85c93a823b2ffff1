"""The engines that step the network; without a GPU, its kernels are interpreted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.config import Device
from taolora_ros.model.compiled import CompiledNetwork
from taolora_ros.model.engines import GpuNetwork, hop_engine
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.relation import RelationWeights, relation_shares

Make = Callable[..., NetworkWeights]
CHANNELS = 3


@pytest.fixture
def relation(random_layer: Callable[..., object]) -> RelationWeights:
    shares = relation_shares(CHANNELS, 32)
    return RelationWeights(
        random_layer(np.random.default_rng(5), len(shares), CHANNELS, shares=shares)
    )


def test_the_cpu_runs_the_compiled_network(make: Make, relation: RelationWeights) -> None:
    assert isinstance(hop_engine(make(), relation, Device.CPU), CompiledNetwork)


def test_the_gpu_says_what_the_cpu_says(
    make: Make, relation: RelationWeights, rows: np.ndarray
) -> None:
    torch = pytest.importorskip('torch')
    pytest.importorskip('triton')
    weights = make(blocks=0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    gpu, cpu = GpuNetwork(weights, relation, device=device), CompiledNetwork(weights, relation)
    for index, patch in enumerate(rows[:40].reshape(10, 4, -1)):
        if index == 6:
            gpu.reset()
            cpu.reset()
        assert gpu.clip_share(patch) == cpu.clip_share(patch)
        predictions = [engine.step(patch, index % 3 == 0) for engine in (gpu, cpu)]
        np.testing.assert_allclose(*predictions, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(gpu.departure, cpu.departure, rtol=1e-4, atol=1e-4)
