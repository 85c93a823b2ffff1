"""The buffers of the GPU engine, as `kernels.stream_step.plan` and `.gpu` lay them out.

The INT4 codes stay packed, and are unpacked in registers. Rows of weights are padded to sixteens,
ranks to the same power of two in all layers.

S streams, P rows a patch, I inputs, C channels, d features, K inputs and N outputs of a layer,
R rank, G group size, H rows of history, W the widest layer.
"""

from __future__ import annotations

from collections.abc import Iterator

from taolora_ros.detection.watch import WatchModel
from taolora_ros.hardware.buffers import Buffer, Part, Place, size_of
from taolora_ros.hardware.cpu_buffers import vectors
from taolora_ros.kernels.stream_step.plan import ALIGNMENT, CHUNK, Field, Size
from taolora_ros.kernels.stream_step.plan import Place as Layer
from taolora_ros.model.correction import dilation
from taolora_ros.model.relation import LAGS
from taolora_ros.quantization.int4 import padded

# Of `kernels.stream_step.gpu`, without loading torch: programs side by side, and their rows.
ROLES, STREAMS = 3, 16


def gpu_buffers(model: WatchModel, *, streams: int = 1) -> Iterator[Buffer]:
    """All that the engine holds on the device, and pinned on the host.

    Args:
        model: the trained detector.
        streams: S, that one hop serves; what a hop reads is of all of them.
    """
    yield from _layers(model)
    yield from _arenas(model)
    yield from _states(model, streams)
    yield from _scratch(model, streams)
    yield from _exchange(model, streams)


def _weights(
    name: str, shape: tuple[int, ...], dtype: str = 'float32', *, is_low_rank: bool = False
) -> Buffer:
    read = size_of(shape, dtype)
    return Buffer(
        name=name,
        part=Part.WEIGHTS,
        shape=shape,
        dtype=dtype,
        place=Place.GPU,
        steady_bytes=0 if is_low_rank else read,
        fp16_bytes=read if is_low_rank else 0,
    )


def _layers(model: WatchModel) -> Iterator[Buffer]:
    layers = model.layers()
    most = max(layer.low_rank.rank for layer in layers.values())
    rank = max(ALIGNMENT, _power_of_two(most)) if most else 0
    for name, layer in layers.items():
        halves = 2 if name.endswith('.expand') else 1
        outputs = halves * padded(layer.outputs // halves, ALIGNMENT)
        inputs, groups = layer.inputs, layer.inputs // layer.weight.group
        yield _weights(f'{name}.units', (padded(inputs, ALIGNMENT),))
        yield _weights(f'{name}.steady', (padded(groups, ALIGNMENT),))
        yield _weights(f'{name}.packed', (inputs // 2, outputs), 'uint8')
        yield _weights(f'{name}.scales', (groups, outputs))
        yield _weights(f'{name}.bias', (outputs,))
        if rank:
            yield _weights(f'{name}.down', (inputs, rank), 'float16', is_low_rank=True)
            yield _weights(f'{name}.up', (rank, outputs), 'float16', is_low_rank=True)


def _arenas(model: WatchModel) -> Iterator[Buffer]:
    """What is no layer's: vectors, the table, and the end of each arena."""
    for name, size in vectors(model):
        yield _weights(name, (padded(size, ALIGNMENT),))
    yield _weights('correction.floor', (ALIGNMENT,))  # added to a mean square
    layers = model.layers()
    told = [layers['skip.linear'], layers['relation']]  # whose inputs the table tells of
    blocks = 0
    if model.network.correction is not None:
        blocks = model.config.model.blocks
        told.append(layers['correction.embed'])
    fields = (Layer.FIRST_BLOCK + 2 * blocks) * len(Field)
    sources = 3 * sum(layer.inputs for layer in told)
    yield _weights('network.table', (len(Size) + fields + sources,), 'int32')
    for dtype in ('uint8', 'float32', 'float16'):
        yield Buffer(
            name=f'network.end.{dtype}',
            part=Part.WEIGHTS,
            shape=(ALIGNMENT,),
            dtype=dtype,
            place=Place.GPU,
        )


def _states(model: WatchModel, streams: int) -> Iterator[Buffer]:
    shape, patch, inputs = model.config.model, model.config.window.patch, model.network.inputs
    history = max(shape.order, LAGS[-1])

    def state(name: str, sizes: tuple[int, ...], read: int, dtype: str = 'float32') -> Buffer:
        return Buffer(
            name=name,
            part=Part.STATE,
            shape=sizes,
            dtype=dtype,
            place=Place.GPU,
            steady_bytes=size_of((streams, read), dtype),
        )

    yield state('hops', (ROLES, streams), ROLES, 'int64')
    rows = _power_of_two(history + patch)
    yield state('rows', (streams, rows, inputs), history * inputs)
    yield state('pending', (2, streams, patch, inputs), patch * inputs)  # by the hop's parity
    blocks = shape.blocks if model.network.correction is not None else 0
    taps = shape.kernel - 1  # that look back; a hop reads a token of the ring for each
    for block in range(blocks):
        ring = _power_of_two(taps * dilation(block, shape) + 1)
        read = taps * shape.width
        yield state(f'correction.block{block}.ring', (streams, ring, shape.width), read)
    if not blocks:
        yield state('correction.none', (1,), 0)  # so that it has an address


def _scratch(model: WatchModel, streams: int) -> Iterator[Buffer]:
    group = model.config.quantization.group
    widest = max(max(layer.inputs, layer.outputs) for layer in model.layers().values())
    widest = padded(widest, CHUNK)
    rows = ROLES * STREAMS * -(-streams // STREAMS)
    for name, sizes, dtype in (
        ('activations', (rows, 3, widest), 'float32'),
        ('codes', (rows, widest), 'int8'),
        ('scales', (rows, widest // group), 'float32'),
    ):
        yield Buffer(
            name=f'scratch.{name}', part=Part.SCRATCH, shape=sizes, dtype=dtype, place=Place.GPU
        )


def _exchange(model: WatchModel, streams: int) -> Iterator[Buffer]:
    """What goes there and comes back: on the device, and pinned on the host."""
    rows = (streams, model.config.window.patch, model.network.inputs)
    for name, sizes, dtype in (
        ('patches', rows, 'float32'),
        ('mask', (streams,), 'uint8'),
        ('prediction', rows, 'float32'),
        ('departure', (*rows[:2], model.relation.channels), 'float32'),
    ):
        for place in Place:
            yield Buffer(
                name=f'gpu.{name}', part=Part.EXCHANGE, shape=sizes, dtype=dtype, place=place
            )


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
