"""Where a hop of the GPU finds its numbers: `plan`'s table, as Triton reads it.

Triton reads globals only if they are constants of its own.
"""

from __future__ import annotations

import triton
import triton.language as tl

from taolora_ros.kernels.stream_step.plan import Field, Kind, Place, Size

SIZE_STREAMS = tl.constexpr(int(Size.STREAMS))
SIZE_PATCH = tl.constexpr(int(Size.PATCH))
SIZE_INPUTS = tl.constexpr(int(Size.INPUTS))
SIZE_ORDER = tl.constexpr(int(Size.ORDER))
SIZE_HISTORY = tl.constexpr(int(Size.HISTORY))
SIZE_WIDEST_16 = tl.constexpr(int(Size.WIDEST_16))
SIZE_WIDTH = tl.constexpr(int(Size.WIDTH))
SIZE_HIDDEN_16 = tl.constexpr(int(Size.HIDDEN_16))
SIZE_BLOCKS = tl.constexpr(int(Size.BLOCKS))
SIZE_SPREAD = tl.constexpr(int(Size.SPREAD))
SIZE_OWN = tl.constexpr(int(Size.OWN))
SIZE_FLOOR = tl.constexpr(int(Size.FLOOR))
SIZE_LEVELS = tl.constexpr(int(Size.LEVELS))

FIELD_INPUTS = tl.constexpr(int(Field.INPUTS))
FIELD_OUTPUTS = tl.constexpr(int(Field.OUTPUTS))
FIELD_STRIDE_16 = tl.constexpr(int(Field.STRIDE_16))
FIELD_UNITS = tl.constexpr(int(Field.UNITS))
FIELD_STEADY = tl.constexpr(int(Field.STEADY))
FIELD_PACKED = tl.constexpr(int(Field.PACKED))
FIELD_SCALES = tl.constexpr(int(Field.SCALES))
FIELD_DOWN = tl.constexpr(int(Field.DOWN))
FIELD_UP = tl.constexpr(int(Field.UP))
FIELD_BIAS = tl.constexpr(int(Field.BIAS))
FIELD_GAIN = tl.constexpr(int(Field.GAIN))
FIELD_SOURCE = tl.constexpr(int(Field.SOURCE))
FIELD_TAPS = tl.constexpr(int(Field.TAPS))
FIELD_KERNEL = tl.constexpr(int(Field.KERNEL))
FIELD_DILATION = tl.constexpr(int(Field.DILATION))
FIELD_RING = tl.constexpr(int(Field.RING))
FIELD_IS_WIDE = tl.constexpr(int(Field.IS_WIDE))

LAYER_SKIP = tl.constexpr(int(Place.SKIP))
LAYER_EMBED = tl.constexpr(int(Place.EMBED))
LAYER_HEAD = tl.constexpr(int(Place.HEAD))
LAYER_FIRST_BLOCK = tl.constexpr(int(Place.FIRST_BLOCK))

KIND_PADDING = tl.constexpr(int(Kind.PADDING))
KIND_DIFFERENCE = tl.constexpr(int(Kind.DIFFERENCE))

_NUMBERS = tl.constexpr(len(Size))  # of the whole network; those of layers follow
_FIELDS = tl.constexpr(len(Field))


@triton.jit
def number(plan_ptr: tl.tensor, SIZE: tl.constexpr) -> tl.tensor:
    """A number of the whole network."""
    return tl.load(plan_ptr + SIZE)


@triton.jit
def field(plan_ptr: tl.tensor, layer: tl.tensor, FIELD: tl.constexpr) -> tl.tensor:
    """A number of a layer."""
    return tl.load(plan_ptr + _NUMBERS + layer * _FIELDS + FIELD)


@triton.jit
def offset(plan_ptr: tl.tensor, layer: tl.tensor, FIELD: tl.constexpr) -> tl.tensor:
    """Where in its arena a part of a layer begins: known to be a multiple of 16."""
    return field(plan_ptr, layer, FIELD) * 16
