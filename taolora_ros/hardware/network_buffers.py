"""The buffers of a detector's dense layers and their states, on the CPU and on the GPU.

The artifact's tensors stay on the host, whichever engine runs. Beside the GPU's engine the CPU's
waits to take over, with all that it reads: `model.engines.hop_engine` builds both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from taolora_ros.config import Device
from taolora_ros.detection.watch import WatchModel
from taolora_ros.hardware.buffers import Buffer, Part
from taolora_ros.hardware.cpu_buffers import cpu_buffers
from taolora_ros.hardware.gpu_buffers import gpu_buffers


def network_buffers(model: WatchModel, device: Device) -> Iterator[Buffer]:
    """Weights and states of network and relation.

    Args:
        model: the trained detector.
        device: where it runs, CPU or CUDA.
    """
    yield from _stored(model)
    if device is Device.CUDA:
        yield from gpu_buffers(model)
    for buffer in cpu_buffers(model):
        yield dataclasses.replace(buffer, is_spare=device is Device.CUDA)


def _stored(model: WatchModel) -> Iterator[Buffer]:
    """The tensors of the artifact that a detector runs with: all but the FP32 twins."""
    relation = model.relation.to_tensors()
    tensors = {
        **model.network.to_tensors(),
        **{f'relation.{name}': tensor for name, tensor in relation.items()},
    }
    for name, tensor in tensors.items():
        if not name.endswith('.dense'):
            yield Buffer(name=name, part=Part.WEIGHTS, shape=tensor.shape, dtype=tensor.dtype.name)
