"""Quantization on the GPU against its definition, bit for bit; without a GPU, interpreted."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.quantize.reference import quantize as reference
from taolora_ros.kernels.rotate.reference import rotate

torch = pytest.importorskip('torch')
pytest.importorskip('triton')
gpu = pytest.importorskip('taolora_ros.kernels.quantize.gpu')

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
SHAPES = [(1, 1, 32), (19, 5, 32), (3, 3, 8), (17, 2, 64), (5, 1, 256)]  # rows, groups, group
MASKS = {'steady': 0.0, 'mixed': 0.4, 'transient': 1.0}

pytestmark = pytest.mark.usefixtures('poisoned_torch')


def there(values: np.ndarray) -> object:
    return torch.from_numpy(values).to(DEVICE)


@pytest.mark.parametrize('activation', list(Activation))
@pytest.mark.parametrize('share', MASKS.values(), ids=MASKS)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_codes_and_scales_are_the_reference_bit_for_bit(
    shape: tuple[int, int, int], share: float, activation: Activation
) -> None:
    rows, groups, group = shape
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, groups * group)) * np.exp(rng.normal(size=(rows, 1)))
    x = x.astype(np.float32)
    x[rows // 2] = 0.0 if rows > 1 else x[0]
    x[-1, 0] = 1e30  # saturates its group
    units = (np.exp(rng.normal(size=groups * group)) / np.sqrt(group)).astype(np.float32)
    steady = np.exp(rng.normal(size=groups) - 1.0).astype(np.float32)
    mask = rng.random(rows) < share
    found = gpu.quantize(
        there(x),
        there(units),
        steady=there(steady),
        is_transient=there(mask),
        activation=activation,
    )
    rotated = rotate(x, units, group)
    expected = reference(rotated, steady, mask, activation)
    np.testing.assert_array_equal(found.codes.cpu().numpy(), expected.codes)
    np.testing.assert_array_equal(found.scales.cpu().numpy(), expected.scales)
    largest = np.where(mask & (activation is Activation.TIME_AWARE), 98, 7)[:, None]
    inverse = np.repeat(np.float32(1.0) / expected.scales, group, axis=1)
    cut = np.abs(np.rint(rotated * inverse)) > largest
    np.testing.assert_array_equal(found.cut.cpu().numpy(), cut.sum(axis=1))
    held = np.clip(rotated[mask], -65504.0, 65504.0).astype(np.float16)
    np.testing.assert_array_equal(found.halves.cpu().numpy()[mask], held)


def test_halves_round_to_even() -> None:
    x = np.zeros((1, 32), np.float32)
    x[0, 0] = 5.0  # rotation puts 5 into every place; with a scale of 2 each is 2.5
    ones = np.ones(32, np.float32)
    found = gpu.quantize(
        there(x),
        there(ones),
        steady=there(np.full(1, 2.0, np.float32)),
        is_transient=there(np.zeros(1, bool)),
        activation=Activation.STATIC,
    )
    assert (found.codes.cpu().numpy() == 2).all()
