"""What others offer for one dense layer on the GPU, each a call on fixed tensors.

A peer that isn't installed, or refuses a shape, is left out with its reason.

M rows, K inputs, N outputs, G group size.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from taolora_ros.kernels.dual_path_linear.reference import Operands
from taolora_ros.samples import Float32s

Call = Callable[[], object]
_OFFSET = 8  # of an unsigned INT4 code


@dataclass(frozen=True, slots=True)
class Peers:
    """The calls by name, and why others are missing."""

    calls: dict[str, Call]
    absences: dict[str, str]


def peers_of(x: Float32s, operands: Operands) -> Peers:
    """All peers on the layer's rounded weights.

    Args:
        x: `[M, K]` rows.
        operands: the layer; peers leave out its low-rank path.
    """
    makers = {
        'cublas_fp16': _cublas,
        'torch_compile_fp16': _compiled,
        'gemlite_a16w4': _gemlite,
        'torchao_int4': _torchao,
    }
    calls: dict[str, Call] = {}
    absences: dict[str, str] = {}
    for name, make in makers.items():
        try:
            call = make(x, operands)
            call()
        except Exception as error:  # others' code: whatever it raises is its reason
            absences[name] = f'{type(error).__name__}: {error}'.splitlines()[0]
        else:
            calls[name] = call
    return Peers(calls, absences)


def _dense(operands: Operands) -> Float32s:
    """What the codes stand for, `[K, N]`."""
    weight: Float32s = operands.codes * operands.scales[:, None, :]
    return weight.reshape(-1, weight.shape[2])


def _on_gpu(values: npt.NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to('cuda', dtype)


def _affine(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.addmm(bias, rows, weight)


def _cublas(x: Float32s, operands: Operands) -> Call:
    rows, weight = _on_gpu(x, torch.float16), _on_gpu(_dense(operands), torch.float16)
    bias = _on_gpu(operands.bias, torch.float16)
    return lambda: _affine(rows, weight, bias)


def _compiled(x: Float32s, operands: Operands) -> Call:
    rows, weight = _on_gpu(x, torch.float16), _on_gpu(_dense(operands), torch.float16)
    bias = _on_gpu(operands.bias, torch.float16)
    # Its own graphs would be captured within ours.
    layer = torch.compile(_affine, mode='max-autotune-no-cudagraphs', dynamic=False)
    return lambda: layer(rows, weight, bias)


def _gemlite(x: Float32s, operands: Operands) -> Call:
    core = importlib.import_module('gemlite.core')
    groups, group, outputs = operands.codes.shape
    fp16 = core.TORCH_TO_DTYPE[torch.float16]
    layer = core.GemLiteLinearTriton(
        4,
        group_size=group,
        in_features=groups * group,
        out_features=outputs,
        input_dtype=fp16,
        output_dtype=fp16,
    )
    codes = operands.codes.reshape(-1, outputs).T + _OFFSET  # [N, K]
    scales = _on_gpu(operands.scales.T.reshape(-1, 1), torch.float16)
    layer.pack(
        _on_gpu(codes, torch.uint8),
        scales,
        torch.full_like(scales, _OFFSET),
        _on_gpu(operands.bias, torch.float16),
    )
    rows = _on_gpu(x, torch.float16)
    return lambda: layer(rows)


def _torchao(x: Float32s, operands: Operands) -> Call:
    quantization = importlib.import_module('torchao.quantization')
    groups, group, outputs = operands.codes.shape
    layer = torch.nn.Linear(groups * group, outputs, device='cuda', dtype=torch.bfloat16)
    with torch.no_grad():
        layer.weight.copy_(_on_gpu(_dense(operands).T, torch.bfloat16))
        layer.bias.copy_(_on_gpu(operands.bias, torch.bfloat16))
    config = quantization.Int4WeightOnlyConfig(
        group_size=group, int4_packing_format='tile_packed_to_4d'
    )
    quantization.quantize_(layer.requires_grad_(False), config)
    rows = _on_gpu(x, torch.bfloat16)
    return lambda: layer(rows)
