"""The trainable twin equals what runs."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Activation, ModelConfig
from taolora_ros.model.base import Precision
from taolora_ros.model.correction import BlockWeights, Correction, CorrectionWeights
from taolora_ros.model.dual_path import DualPathWeights, at_precision
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import no_low_rank

torch = pytest.importorskip('torch')
from taolora_ros.training.torch_network import TorchCorrection  # noqa: E402  # needs torch

SHAPE = ModelConfig(width=32, blocks=3, kernel=3, expansion=2)


@pytest.fixture(scope='module')
def twin() -> TorchCorrection:
    network = TorchCorrection(64, 20, SHAPE, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(1)
            )
            parameter.copy_(parameter.half())  # biases are kept in FP16
    return network


def numpy_twin(network: TorchCorrection) -> Correction:
    def layer(name: str) -> DualPathWeights:
        dense = network.layer(name)
        inputs, outputs = dense.weight.shape
        return DualPathWeights(
            smooth=np.zeros(1, np.int8),
            shares=np.zeros(inputs, np.int64),
            weight=fit_int4(dense.weight.astype(float), group=32),
            steady=np.ones(inputs // 32, np.float16),
            low_rank=no_low_rank(inputs, outputs),
            bias=dense.bias.astype(np.float16),
            dense=dense.weight,
        )

    weights = CorrectionWeights(
        embed=layer('embed'),
        blocks=tuple(
            BlockWeights(
                taps=network.vector(f'block{index}.taps'),
                gain=network.vector(f'block{index}.gain'),
                expand=layer(f'block{index}.expand'),
                contract=layer(f'block{index}.contract'),
            )
            for index in range(SHAPE.blocks)
        ),
        gain=network.vector('gain'),
        head=layer('head'),
    )
    exact = at_precision(Precision.FP32, Activation.TIME_AWARE)
    return Correction(weights, SHAPE, build=exact)


@pytest.mark.parametrize('tokens', [1, 2, 77])
def test_torch_and_numpy_agree(twin: TorchCorrection, tokens: int) -> None:
    x = np.random.default_rng(2).normal(size=(tokens, 64)).astype(np.float32)
    with torch.no_grad():
        expected = twin(torch.from_numpy(x)[None])[0].numpy()
    found = numpy_twin(twin)(x, np.zeros(tokens, bool))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_new_correction_corrects_nothing() -> None:
    network = TorchCorrection(32, 8, SHAPE, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (network(torch.ones(2, 9, 32)) == 0).all()


def test_recording_gives_the_input_of_every_layer(twin: TorchCorrection) -> None:
    x = torch.randn(9, 64, generator=torch.Generator().manual_seed(3))
    seen = twin.recorded(x)
    assert {name: part.shape for name, part in seen.items()} == {
        name: (9, inputs) for name, (inputs, _) in twin.sizes.items()
    }
    np.testing.assert_array_equal(seen['embed'], x.numpy())


def test_a_token_never_sees_the_ones_after_it(twin: TorchCorrection) -> None:
    x = torch.randn(1, 40, 64, generator=torch.Generator().manual_seed(4))
    changed = x.clone()
    changed[0, 25] += 3.0
    with torch.no_grad():
        before, after = twin(x), twin(changed)
    assert torch.equal(before[0, :25], after[0, :25])
    assert not torch.equal(before[0, 25], after[0, 25])
