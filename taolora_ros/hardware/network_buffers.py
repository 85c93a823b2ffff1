"""The buffers of a detector's dense layers and their states, on the CPU and on the GPU.

The CPU engine unpacks the INT4 codes to int8 once, and reads those: its integer units take
nothing smaller. The GPU keeps them packed, and unpacks them in registers.

P rows a patch, I inputs, C channels, d features, K inputs and N outputs of a layer, R rank,
G group size.
"""

from __future__ import annotations

from collections.abc import Iterator

from taolora_ros.config import Device
from taolora_ros.detection.watch import WatchModel
from taolora_ros.hardware.buffers import Buffer, Part, Place, size_of
from taolora_ros.model.correction import dilation
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.relation import LAGS
from taolora_ros.model.tensors import Tensors
from taolora_ros.quantization.int4 import padded

# What N and R are padded to in `kernels.dual_path_linear.cpu`, without loading its compiler.
LANES, RANKS = 32, 8

_LOW_RANK = ('down', 'up')  # read where the mask is on


def network_buffers(model: WatchModel, device: Device) -> Iterator[Buffer]:
    """Weights and states of network and relation.

    Args:
        model: the trained detector.
        device: where it runs, CPU or CUDA.
    """
    is_gpu = device is Device.CUDA
    for name, tensor in _stored(model).items():
        yield _weights(name, tensor.shape, tensor.dtype.name)
        if is_gpu:
            yield _weights(name, tensor.shape, tensor.dtype.name, place=Place.GPU, is_read=True)
    if not is_gpu:
        yield from _operands(model)
    yield from _states(model, Place.GPU if is_gpu else Place.HOST)


def _stored(model: WatchModel) -> Tensors:
    """The tensors of the artifact that a detector runs with: all but the FP32 twins."""
    relation = model.relation.to_tensors()
    tensors = {
        **model.network.to_tensors(),
        **{f'relation.{name}': tensor for name, tensor in relation.items()},
    }
    return {name: tensor for name, tensor in tensors.items() if not name.endswith('.dense')}


def _weights(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    *,
    part: Part = Part.WEIGHTS,
    place: Place = Place.HOST,
    is_read: bool = False,
) -> Buffer:
    read = size_of(shape, dtype) if is_read else 0
    is_low_rank = name.rpartition('.')[2] in _LOW_RANK
    return Buffer(
        name=name,
        part=part,
        shape=shape,
        dtype=dtype,
        place=place,
        steady_bytes=0 if is_low_rank else read,
        fp16_bytes=read if is_low_rank else 0,
    )


def _operands(model: WatchModel) -> Iterator[Buffer]:
    layers = model.layers()
    for name, layer in layers.items():
        for part, shape, dtype in _layer_operands(layer):
            yield _weights(
                f'{name}.operands.{part}', shape, dtype, part=Part.OPERANDS, is_read=True
            )
    for name, tensor in _stored(model).items():
        if name.rpartition('.')[0] not in layers:  # what stays a vector
            yield _weights(
                f'{name}.operand', tensor.shape, 'float32', part=Part.OPERANDS, is_read=True
            )


def _layer_operands(layer: DualPathWeights) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Name, shape and type of what the CPU's kernels read of a layer."""
    inputs, outputs = layer.inputs, padded(layer.outputs, LANES)
    groups, rank = inputs // layer.weight.group, padded(layer.low_rank.rank, RANKS)
    yield 'units', (inputs,), 'float32'
    yield 'steady', (groups,), 'float32'
    yield 'codes', (inputs, outputs), 'int8'
    yield 'scales', (groups, outputs), 'float32'
    yield 'bias', (outputs,), 'float32'
    yield 'down', (rank, inputs), 'float32'
    yield 'up', (rank, outputs), 'float32'


def _states(model: WatchModel, place: Place) -> Iterator[Buffer]:
    config, inputs = model.config, model.network.inputs

    def state(name: str, rows: int, width: int, read_rows: int) -> Buffer:
        return Buffer(
            name=name,
            part=Part.STATE,
            shape=(rows, width),
            dtype='float32',
            place=place,
            steady_bytes=size_of((read_rows, width), 'float32'),
        )

    yield state('skip.history', config.model.order, inputs, config.model.order)
    if model.network.correction is not None:
        yield state('correction.last', 1, inputs, 1)
        yield state('correction.pending', config.window.patch, inputs, config.window.patch)
        taps = config.model.kernel - 1  # that look back; a hop reads a row of the ring for each
        for block in range(config.model.blocks):
            rows = taps * dilation(block, config.model)
            yield state(f'correction.block{block}.ring', rows, config.model.width, taps)
    yield state('relation.history', LAGS[-1], model.relation.channels, len(LAGS) - 1)
