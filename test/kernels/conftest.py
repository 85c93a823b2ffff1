"""Every engine's kernels behind one signature each, outputs poisoned before the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from taolora_ros.config import Activation
from taolora_ros.kernels.dual_path_linear import cpu as linear_cpu
from taolora_ros.kernels.dual_path_linear import reference as linear
from taolora_ros.kernels.quantize import cpu as quantize_cpu
from taolora_ros.kernels.quantize import reference as quantize
from taolora_ros.kernels.quantize.reference import Quantized
from taolora_ros.kernels.rotate import cpu as rotate_cpu
from taolora_ros.kernels.rotate import reference as rotate

_POISON = -128  # a code that none may be


@dataclass(frozen=True)
class Engine:
    """What a kernel test needs of an engine."""

    quantize: Callable[[np.ndarray, np.ndarray, np.ndarray, Activation], Quantized]
    rotate: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
    dual_path_linear: Callable[[np.ndarray, Quantized, linear.Operands, np.ndarray], np.ndarray]


def _quantize_cpu(
    x: np.ndarray, steady: np.ndarray, is_transient: np.ndarray, activation: Activation
) -> Quantized:
    codes = np.full(x.shape, _POISON, np.int8)
    scales = np.full((len(x), len(steady)), np.nan, np.float32)
    mode = quantize_cpu.MODES[activation]
    quantize_cpu.quantize(x, steady, is_transient, mode, codes, scales)
    return Quantized(codes, scales)


def _rotate_cpu(x: np.ndarray, units: np.ndarray, group: int) -> np.ndarray:
    turned = np.full_like(x, np.nan)
    rotate_cpu.rotate(x, units, group, turned)
    return turned


def _linear_cpu(
    x: np.ndarray, quantized: Quantized, operands: linear.Operands, is_transient: np.ndarray
) -> np.ndarray:
    ready = linear_cpu.prepare(operands)
    y = np.full((len(x), len(operands.bias)), np.nan, np.float32)
    total = np.full_like(ready.bias, np.nan)
    hidden = np.full(ready.rank, np.nan, np.float32)
    linear_cpu.dual_path_linear(
        x,
        quantized.codes,
        np.ascontiguousarray(quantized.scales),
        is_transient,
        ready.codes,
        ready.scales,
        ready.down,
        ready.up,
        ready.bias,
        hidden,
        total,
        y,
    )
    return y


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
