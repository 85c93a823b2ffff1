"""Every engine's kernels behind one signature each, outputs poisoned before the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear import cpu as linear_cpu
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.quantize import cpu as quantize_cpu
from taolora_ros.kernels.quantize import reference as quantize
from taolora_ros.kernels.quantize.reference import Quantized
from taolora_ros.kernels.rotate import cpu as rotate_cpu
from taolora_ros.kernels.rotate import reference as rotate
from taolora_ros.kernels.rotate.reference import units
from taolora_ros.kernels.stream_step.operands import Block, Correction, Layer, StreamOperands
from taolora_ros.quantization.int4 import padded

_POISON = -128  # a code that none may be


@dataclass(frozen=True)
class Engine:
    """What a kernel test needs of an engine."""

    quantize: Callable[[np.ndarray, np.ndarray, np.ndarray, Activation], Quantized]
    rotate: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
    dual_path_linear: Callable[[np.ndarray, Quantized, linear.Operands, np.ndarray], np.ndarray]


@jit
def _quantize(x, steady, is_transient, mode, codes, scales):  # type: ignore[no-untyped-def]
    (rows, inputs), groups = x.shape, steady.shape[0]
    quantize_cpu.quantize(
        x.reshape(-1), rows, groups, inputs // groups, steady, is_transient, mode,
        codes.reshape(-1), scales.reshape(-1),
    )  # fmt: skip


@jit
def _rotate(x, units, group, turned):  # type: ignore[no-untyped-def]
    rows, inputs = x.shape
    rotate_cpu.rotate(x.reshape(-1), rows, units, inputs, group, turned.reshape(-1))


def _quantize_cpu(
    x: np.ndarray, steady: np.ndarray, is_transient: np.ndarray, activation: Activation
) -> Quantized:
    codes = np.full(x.shape, _POISON, np.int8)
    scales = np.full((len(x), len(steady)), np.nan, np.float32)
    mode = quantize_cpu.MODES[activation]
    _quantize(x, steady, is_transient, mode, codes, scales)
    return Quantized(codes, scales)


def _rotate_cpu(x: np.ndarray, units: np.ndarray, group: int) -> np.ndarray:
    turned = np.full_like(x, np.nan)
    _rotate(x, units, group, turned)
    return turned


@jit
def _linear(  # type: ignore[no-untyped-def]
    x, codes, scales, mask, weights, sums, weight_scales, down, up, bias, hidden, y
):
    (rows, inputs), groups = x.shape, scales.shape[1]
    linear_cpu.dual_path_linear(
        x.reshape(-1), codes.reshape(-1), scales.reshape(-1), mask,
        rows, groups, inputs // groups, weights, sums, weight_scales, down, up, bias,
        hidden.shape[0], bias.shape[0], hidden, y.reshape(-1),
    )  # fmt: skip


def _linear_cpu(
    x: np.ndarray, quantized: Quantized, operands: linear.Operands, is_transient: np.ndarray
) -> np.ndarray:
    ready = linear_cpu.prepare(operands)
    y = np.full((len(x), len(ready.bias)), np.nan, np.float32)
    hidden = np.full(ready.rank, np.nan, np.float32)
    codes = quantized.codes + np.array(linear_cpu.UNIT.raised).astype(np.int8)
    scales = np.ascontiguousarray(quantized.scales)
    _linear(
        x, codes, scales, is_transient, ready.codes, ready.sums, ready.scales,
        ready.down, ready.up, ready.bias, hidden, y,
    )  # fmt: skip
    return y[:, : len(operands.bias)]


def _random_layer(
    rng: np.random.Generator, inputs: int, outputs: int, *, group: int, rank: int, dense: bool
) -> Layer:
    groups = inputs // group
    codes = rng.integers(-7, 8, (groups, group, outputs)).astype(np.float32)
    scales = (rng.uniform(0.1, 0.3, (groups, outputs)) / np.sqrt(inputs)).astype(np.float32)

    def halves(*size: int) -> np.ndarray:
        return (rng.normal(size=size) / 16).astype(np.float16).astype(np.float32)

    return Layer(
        units=units(rng.integers(-8, 9, inputs).astype(np.int8), group),
        steady=np.full(groups, 0.4, np.float32),
        linear=linear.Operands(
            codes=codes,
            scales=scales,
            down=halves(inputs, rank),
            up=halves(rank, outputs),
            bias=halves(outputs),
        ),
        is_wide=bool(rng.random() < 0.3),
        dense=(codes * scales[:, None]).reshape(inputs, outputs) if dense else None,
    )


def _random_network(
    *,
    patch: int = 4,
    inputs: int = 5,
    channels: int = 3,
    order: int = 10,
    blocks: int | None = 1,
    kernel: int = 3,
    group: int = 32,
    rank: int = 2,
    hidden: int | None = None,
    dense: bool = False,
    activation: Activation = Activation.TIME_AWARE,
) -> StreamOperands:
    rng = np.random.default_rng(inputs + order)
    width = max(32, group)
    features = hidden or 2 * width

    def make(rows: int, columns: int, rank: int = rank) -> Layer:
        return _random_layer(rng, rows, columns, group=group, rank=rank, dense=dense)

    def block(index: int) -> Block:
        return Block(
            taps=(rng.normal(size=(kernel, width)) / 4).astype(np.float32),
            dilation=kernel**index,
            gain=rng.uniform(0.5, 1.5, width).astype(np.float32),
            expand=make(width, 2 * features),
            contract=make(features, width, max(rank - 1, 0)),  # ranks differ between layers
        )

    correction = None
    if blocks is not None:
        correction = Correction(
            embed=make(padded(inputs, group) + padded(patch * inputs, group), width),
            blocks=tuple(block(index) for index in range(blocks)),
            gain=rng.uniform(0.5, 1.5, width).astype(np.float32),
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


@pytest.fixture
def network() -> Callable[..., StreamOperands]:
    """Makes a network with random weights; without a correction where `blocks` is None."""
    return _random_network


def _relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    scale = np.abs(expected).max(initial=0.0)
    return float(np.abs(found - expected).max(initial=0.0) / scale) if scale else 0.0


@pytest.fixture
def error() -> Callable[[np.ndarray, np.ndarray], float]:
    """The largest difference beside the largest magnitude."""
    return _relative_error


@pytest.fixture
def poisoned_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh tensors hold what no kernel writes."""
    torch = pytest.importorskip('torch')
    empty = torch.empty

    def poisoned(*size: object, **options: object) -> object:
        fresh = empty(*size, **options)
        return fresh.fill_(float('nan') if fresh.is_floating_point() else _POISON)

    monkeypatch.setattr(torch, 'empty', poisoned)


ENGINES = {
    'reference': Engine(quantize.quantize, rotate.rotate, linear.dual_path_linear),
    'cpu': Engine(_quantize_cpu, _rotate_cpu, _linear_cpu),
}


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]
