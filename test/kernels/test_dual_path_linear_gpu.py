"""The dual-path layer on the GPU against its definition; without a GPU, interpreted."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear.reference import Operands, dual_path_linear, group_sums
from taolora_ros.kernels.quantize.reference import Quantized, quantize
from taolora_ros.kernels.rotate.reference import rotate

torch = pytest.importorskip('torch')
pytest.importorskip('triton')
gpu = pytest.importorskip('taolora_ros.kernels.dual_path_linear.gpu')
rows_gpu = pytest.importorskip('taolora_ros.kernels.quantize.gpu')

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
SHAPES = [  # rows, groups, group, outputs, rank
    (1, 1, 32, 1, 0),
    (17, 5, 32, 37, 5),
    (3, 4, 8, 7, 1),
    (5, 2, 64, 65, 16),
    (2, 1, 256, 31, 3),
    (270, 2, 32, 40, 20),
]
MASKS = {'steady': 0.0, 'mixed': 0.3, 'transient': 1.0}

pytestmark = pytest.mark.usefixtures('poisoned_torch')


def there(values: np.ndarray) -> object:
    return torch.from_numpy(np.ascontiguousarray(values)).to(DEVICE)


def layer(rng: np.random.Generator, shape: tuple[int, int, int, int, int]) -> Operands:
    _, groups, group, outputs, rank = shape

    def halves(*size: int) -> np.ndarray:
        return (0.1 * rng.normal(size=size)).astype(np.float16).astype(np.float32)

    return Operands(
        codes=rng.integers(-7, 8, (groups, group, outputs)).astype(np.float32),
        scales=rng.uniform(0.01, 0.1, (groups, outputs)).astype(np.float32),
        down=halves(groups * group, rank),
        up=halves(rank, outputs),
        bias=halves(outputs),
    )


def rounded_rows(x: np.ndarray, quantized: Quantized, mask: np.ndarray) -> object:
    """The rows as the GPU's quantization hands them on: steady ones have no halves."""
    halves = np.where(mask[:, None], x, np.nan).astype(np.float16)
    return rows_gpu.QuantizedRows(
        codes=there(quantized.codes),
        scales=there(quantized.scales.astype(np.float32)),
        halves=there(halves),
        cut=None,
    )


@pytest.mark.parametrize('share', MASKS.values(), ids=MASKS)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_outputs_are_the_reference(shape: tuple[int, int, int, int, int], share: float) -> None:
    rng = np.random.default_rng(sum(shape))
    rows, groups, group, _, _ = shape
    operands = layer(rng, shape)
    x = rng.normal(size=(rows, groups * group)).astype(np.float32)
    x[0] = 0.0
    x[-1] *= 40.0  # saturates where the mask is off
    mask = rng.random(rows) < share
    quantized = quantize(x, np.full(groups, 0.3, np.float32), mask, Activation.TIME_AWARE)
    found = gpu.dual_path_linear(
        rounded_rows(x, quantized, mask),
        gpu.LayerTensors.of(operands, DEVICE),
        is_transient=there(mask),
    )
    expected = dual_path_linear(x, quantized, operands, mask)
    error = np.abs(found.cpu().numpy() - expected)
    # x and x·A are rounded to 11 bits each on the low-rank path.
    low_rank = np.abs(x) @ np.abs(operands.down) @ np.abs(operands.up) * 2.0**-9
    bound = 1e-5 * np.abs(expected).max() + low_rank * mask[:, None]
    assert (error <= bound).all()


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_sums_of_every_group_are_exact_integers(shape: tuple[int, int, int, int, int]) -> None:
    rng = np.random.default_rng(sum(shape))
    rows, groups, group, outputs, _ = shape
    operands = layer(rng, shape)
    codes = rng.integers(-98, 99, (rows, groups * group)).astype(np.int8)
    mask = np.zeros(rows, bool)
    sums = group_sums(Quantized(codes, np.ones((rows, groups), np.float32)), operands)
    plain = Operands(
        codes=operands.codes,
        scales=np.ones((groups, outputs), np.float32),
        down=operands.down,
        up=operands.up,
        bias=np.zeros(outputs, np.float32),
    )
    for alone in range(groups):
        scales = np.zeros((rows, groups), np.float32)
        scales[:, alone] = 1.0  # leaves this group's sum as the output
        found = gpu.dual_path_linear(
            rounded_rows(codes.astype(np.float32), Quantized(codes, scales), mask),
            gpu.LayerTensors.of(plain, DEVICE),
            is_transient=there(mask),
        )
        np.testing.assert_array_equal(found.cpu().numpy(), sums[alone])


@pytest.mark.parametrize('share', MASKS.values(), ids=MASKS)
@pytest.mark.parametrize('is_wide', [False, True])
def test_a_gated_layer_rounds_for_the_layer_after_it(share: float, is_wide: bool) -> None:
    rng = np.random.default_rng(3)
    shape = (19, 2, 32, 192, 4)
    operands = layer(rng, shape)
    x = rng.normal(size=(19, 64)).astype(np.float32)
    mask = rng.random(19) < share
    quantized = quantize(x, np.full(2, 0.3, np.float32), mask, Activation.TIME_AWARE)
    rows, tensors = rounded_rows(x, quantized, mask), gpu.LayerTensors.of(operands, DEVICE)
    units = rng.uniform(0.1, 0.3, 96).astype(np.float32)
    steady = rng.uniform(0.05, 0.1, 3).astype(np.float32)
    gated = gpu.dual_path_linear(
        rows, tensors, is_transient=there(mask), epilogue=gpu.Epilogue.GATED
    )
    found = gpu.dual_path_linear_rounded(
        rows,
        tensors,
        is_transient=there(mask),
        epilogue=gpu.Epilogue.GATED,
        following=gpu.Following(there(units), there(steady), Activation.TIME_AWARE, is_wide),
    )
    y = gated.cpu().numpy()
    first, second = np.split(dual_path_linear(x, quantized, operands, mask), 2, axis=1)
    expected = first / (1.0 + np.exp(-first)) * second
    assert np.abs(y - expected).max() <= 1e-3 * np.abs(expected).max()
    turned = rotate(y, units, 32)
    codes = quantize(turned, steady, mask | is_wide, Activation.TIME_AWARE)
    np.testing.assert_array_equal(found.codes.cpu().numpy(), codes.codes)
    np.testing.assert_array_equal(found.scales.cpu().numpy(), codes.scales)
    held = turned[mask].astype(np.float16)
    np.testing.assert_array_equal(found.halves.cpu().numpy()[mask], held)


def test_the_tile_follows_rows_and_capability() -> None:
    assert gpu.tile(1, 32, (8, 7)).rows == 16
    assert gpu.tile(2_000_000, 32, (8, 7)) == gpu.TILES[8, 7][-1][1]
    assert gpu.tile(2_000_000, 32, (8, 9)) == gpu.TILES[8, 7][-1][1]  # between two: the lower
    assert gpu.tile(2_000_000, 32, (12, 0)) == gpu.TILES[9, 0][-1][1]
    assert gpu.tile(2_000_000, 256, (9, 0)) == gpu.LARGE_GROUP_TILE
