"""The dual-path layer on the GPU beside FP16 and others' INT4, over shapes and low-rank shares.

M rows, K inputs, N outputs, R rank, G group size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch

from taolora_ros.config import Activation
from taolora_ros.evaluation.speed.cuda_timing import alternate_on_gpu, captured
from taolora_ros.evaluation.speed.gpu_peers import peers_of
from taolora_ros.evaluation.speed.kernel_findings import (
    OURS,
    QUANTIZING,
    WITHOUT,
    KernelFindings,
    KernelTimes,
    Shape,
)
from taolora_ros.kernels.dual_path_linear.gpu import LayerTensors, dual_path_linear
from taolora_ros.kernels.dual_path_linear.reference import Operands
from taolora_ros.kernels.quantize.gpu import QuantizedRows, quantize
from taolora_ros.model.network import NetworkWeights
from taolora_ros.samples import Float32s

ROWS = (1, 16, 64, 256, 4096)
SHARES = (0.0, 0.1, 1.0)  # of rows on the low-rank path
SQUARES = (1024, 4096)  # K = N beside the network's own shapes
GROUP = 32
_INPUTS_PER_RANK = 32  # of the squares
_CALLS, _ROUNDS = 20, 50


def shapes_of(network: NetworkWeights) -> tuple[Shape, ...]:
    """The different shapes of a network's layers, and the large squares."""
    own = [
        Shape(layer.inputs, layer.outputs, layer.low_rank.rank, is_network=True)
        for layer in network.layers().values()
    ]
    squares = [Shape(size, size, size // _INPUTS_PER_RANK, is_network=False) for size in SQUARES]
    return tuple(dict.fromkeys([*own, *squares]))


def measure_kernels(
    shapes: Sequence[Shape], *, progress: Callable[[float], None] = lambda share: None
) -> KernelFindings:
    """Time every shape at every number of rows and low-rank share, all subjects in turn."""
    rng = np.random.default_rng(0)
    found: list[KernelTimes] = []
    absences: dict[str, str] = {}
    total = len(shapes) * len(ROWS)
    for number, (shape, rows) in enumerate((s, m) for s in shapes for m in ROWS):
        operands = _layer(rng, shape)
        x = rng.normal(size=(rows, shape.inputs)).astype(np.float32)
        peers = peers_of(x, operands)
        absences.update(peers.absences)
        graphs = {name: captured(call, _CALLS) for name, call in peers.calls.items()}
        for share in SHARES:
            subjects = {**_ours(x, operands, share), **graphs}
            times = alternate_on_gpu(subjects, calls=_CALLS, rounds=_ROUNDS)
            us = {name: subject.median_us for name, subject in times.items()}
            found.append(KernelTimes(rows, shape, share, us))
        progress((number + 1) / total)
    return KernelFindings(found, absences)


def _layer(rng: np.random.Generator, shape: Shape) -> Operands:
    """Random codes and a random low-rank path."""
    groups = shape.inputs // GROUP
    return Operands(
        codes=rng.integers(-7, 8, (groups, GROUP, shape.outputs)).astype(np.float32),
        scales=rng.uniform(0.01, 0.02, (groups, shape.outputs)).astype(np.float32),
        down=(rng.normal(size=(shape.inputs, shape.rank)) / 16).astype(np.float32),
        up=(rng.normal(size=(shape.rank, shape.outputs)) / 16).astype(np.float32),
        bias=rng.normal(size=shape.outputs).astype(np.float32),
    )


def _ours(x: Float32s, operands: Operands, share: float) -> dict[str, torch.cuda.CUDAGraph]:
    """Our layer on rounded rows, with their rounding before it, and without a low-rank path."""
    rows, inputs = x.shape
    on_gpu = torch.from_numpy(x).cuda()
    units = torch.ones(inputs, device='cuda')
    steady = torch.full((inputs // GROUP,), 0.4, device='cuda')
    mask = torch.zeros(rows, dtype=torch.bool, device='cuda')
    mask[: round(share * rows)] = True  # as in life, transient rows are neighbors
    bare = dataclasses.replace(operands, down=operands.down[:, :0], up=operands.up[:0])
    layer, layer_without = (LayerTensors.of(part, 'cuda') for part in (operands, bare))

    def rounded() -> QuantizedRows:
        return quantize(
            on_gpu, units, steady=steady, is_transient=mask, activation=Activation.TIME_AWARE
        )

    fixed = rounded()
    calls: dict[str, Callable[[], object]] = {
        OURS: lambda: dual_path_linear(fixed, layer, is_transient=mask),
        WITHOUT: lambda: dual_path_linear(fixed, layer_without, is_transient=mask),
        QUANTIZING: lambda: dual_path_linear(rounded(), layer, is_transient=mask),
    }
    return {name: captured(call, _CALLS) for name, call in calls.items()}
