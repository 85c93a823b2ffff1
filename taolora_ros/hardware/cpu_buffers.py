"""The buffers of the CPU engine, as `kernels.stream_step.packing` lays them out.

It lays the INT4 codes out anew, still two a byte, and unpacks them in registers.

P rows a patch, I inputs, C channels, d features, K inputs and N outputs of a layer, R rank,
G group size, H rows of history.
"""

from __future__ import annotations

from collections.abc import Iterator

from taolora_ros.detection.watch import WatchModel
from taolora_ros.hardware.buffers import Buffer, Part, size_of
from taolora_ros.kernels.dual_path_linear.cpu_vectors import LANES
from taolora_ros.kernels.stream_step import memory
from taolora_ros.kernels.stream_step import packing as at
from taolora_ros.model.correction import dilation
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.relation import LAGS
from taolora_ros.quantization.int4 import padded

_LOW_RANK = ('down', 'up')  # read where the mask is on


def cpu_buffers(model: WatchModel) -> Iterator[Buffer]:
    """All that one stream's engine holds, on the host."""
    yield from _operands(model)
    yield from _states(model)
    yield from _scratch(model)
    yield from _exchange(model)


def vectors(model: WatchModel) -> Iterator[tuple[str, int]]:
    """Names and sizes of what every engine reads in FP32 beside the layers."""
    skip = model.network.skip
    yield 'skip.spread', skip.spread.size
    yield 'skip.own', skip.own.size
    if model.network.correction is not None:
        for name, vector in model.network.correction.vectors():
            yield f'correction.{name}', vector.size


def _operand(name: str, shape: tuple[int, ...], dtype: str = 'float32') -> Buffer:
    read, is_low_rank = size_of(shape, dtype), name.rpartition('.')[2] in _LOW_RANK
    return Buffer(
        name=name,
        part=Part.OPERANDS,
        shape=shape,
        dtype=dtype,
        steady_bytes=0 if is_low_rank else read,
        fp16_bytes=read if is_low_rank else 0,
    )


def _operands(model: WatchModel) -> Iterator[Buffer]:
    layers = model.layers()
    for name, layer in layers.items():
        for part, shape, dtype in _layer_operands(layer):
            yield _operand(f'{name}.operands.{part}', shape, dtype)
    for name, size in vectors(model):
        yield _operand(f'{name}.operand', (padded(size, at.ALIGNMENT),))
    tables = len(layers) * at.LAYER_FIELDS + at.SIZES + len(LAGS)
    blocks = 0
    if model.network.correction is not None:
        yield _operand('correction.floor.operand', (at.ALIGNMENT,))  # added to a mean square
        blocks = model.config.model.blocks
    yield _operand('network.operands.tables', (tables + blocks * at.BLOCK_FIELDS,), 'int64')
    limits = min(model.config.model.order, 2)  # of levels and, from order 2 on, of differences
    yield _operand('skip.operands.clips', (limits, model.network.inputs))


def _layer_operands(layer: DualPathWeights) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Name, shape and type of what the kernel reads of a layer, vectors padded to whole lanes."""
    inputs, outputs = layer.inputs, padded(layer.outputs, LANES)
    groups, rank = inputs // layer.weight.group, layer.low_rank.rank
    for part, size, dtype in (
        ('units', inputs, 'float32'),
        ('steady', groups, 'float32'),
        ('codes', inputs * outputs // 2, 'uint8'),
        ('sums', 2 * groups * outputs, 'uint8'),  # int16
        ('scales', groups * outputs, 'float32'),
        ('bias', outputs, 'float32'),
        ('down', rank * inputs // 2, 'float32'),  # two FP16 each, as those of `up`
        ('up', rank * outputs // 2, 'float32'),
    ):
        if size:
            yield part, (padded(size, at.ALIGNMENT),), dtype


def _states(model: WatchModel) -> Iterator[Buffer]:
    shape, patch, inputs = model.config.model, model.config.window.patch, model.network.inputs
    history = max(shape.order, LAGS[-1])

    def state(name: str, rows: int, width: int, read: int, dtype: str = 'float32') -> Buffer:
        return Buffer(
            name=name,
            part=Part.STATE,
            shape=(rows, width),
            dtype=dtype,
            steady_bytes=size_of((read, width), dtype),
        )

    yield state('past', history + patch, inputs, history)
    yield state('past.is_empty', 1, 1, 1, 'bool')
    yield state('pending', patch, inputs, patch)
    if model.network.correction is not None:
        taps = shape.kernel - 1  # that look back; a hop reads a row of the ring for each
        for block in range(shape.blocks if taps else 0):
            rows = taps * dilation(block, shape)
            yield state(f'correction.block{block}.ring', rows, shape.width, taps)
        if shape.blocks:
            yield state('correction.places', shape.blocks, 1, shape.blocks, 'int64')


def _scratch(model: WatchModel) -> Iterator[Buffer]:
    """What a layer works in; skip and relation take P rows at a time, the correction one."""
    config, layers = model.config, model.layers()
    patch = config.window.patch
    rows = {name: 1 if name.startswith('correction.') else patch for name in layers}
    inputs = max(rows[name] * layer.inputs for name, layer in layers.items())
    has_correction = model.network.correction is not None
    history = max(config.model.order, LAGS[-1])
    parts = {
        'inputs': inputs,
        'outputs': max(
            rows[name] * padded(layer.outputs, LANES) for name, layer in layers.items()
        ),
        'embedded': layers['correction.embed'].inputs if has_correction else 0,
        'token': config.model.width if has_correction else 0,
        'turned': inputs,
        'row_scales': inputs // config.quantization.group,
        'ranks': max(rows[name] * layer.low_rank.rank for name, layer in layers.items()),
        'differences': (history + patch) * model.network.inputs,
    }
    for name, size in parts.items():
        if size:
            yield _scratch_part(name, padded(size, at.ALIGNMENT), 'float32')
    yield _scratch_part('starts', memory.WORK_FIELDS, 'int64')
    yield _scratch_part('rounded', inputs, 'int8')


def _scratch_part(name: str, size: int, dtype: str) -> Buffer:
    return Buffer(name=f'scratch.{name}', part=Part.SCRATCH, shape=(size,), dtype=dtype)


def _exchange(model: WatchModel) -> Iterator[Buffer]:
    rows = (model.config.window.patch, model.network.inputs)
    for name, shape, dtype in (
        ('patches', rows, 'float32'),
        ('mask', (1,), 'bool'),
        ('clip_counts', (1,), 'int64'),
        ('prediction', rows, 'float32'),
        ('departure', (rows[0], model.relation.channels), 'float32'),
    ):
        yield Buffer(name=f'cpu.{name}', part=Part.EXCHANGE, shape=shape, dtype=dtype)
