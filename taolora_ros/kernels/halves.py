"""FP16 numbers as float32, where the processor knows them and where it doesn't."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from taolora_ros.kernels import vectors
from taolora_ros.kernels.processor import target

_HALF = ir.HalfType()
_HALF_TO_FLOAT = 13  # more bits of the mantissa
_HAS_HALVES = target().has_halves


def load_halves(builder: Any, pointer: Any, index: Any, width: int) -> Any:
    """`width` FP16 neighbors as float32, from floats whose bits hold two of them each.

    Args:
        builder: as everywhere here.
        pointer: to the floats; Numba has no arrays of FP16 on the CPU.
        index: of the first FP16.
        width: how many.
    """
    halves = builder.bitcast(pointer, vectors.INT16.as_pointer())
    bits = vectors.load(builder, halves, index, width)
    if _HAS_HALVES:
        values = builder.bitcast(bits, vectors.vector(_HALF, width))
        return builder.fpext(values, vectors.vector(vectors.FLOAT, width))
    return widened_halves(builder, bits)


def widened_halves(builder: Any, bits: Any) -> Any:
    """Finite FP16 numbers, given as int16 bits, as float32.

    Exponent and mantissa are moved to where a float32 has them, sign apart, which makes it 2⁻¹¹²
    times too small, as its exponent counts from −127 rather than −15.
    """
    width = bits.type.count
    words = builder.sext(bits, vectors.vector(vectors.INT32, width))
    moved = builder.shl(words, vectors.constant(vectors.INT32, _HALF_TO_FLOAT, width))
    magnitude = builder.and_(moved, vectors.constant(vectors.INT32, 0x0FFFFFFF, width))
    small = builder.bitcast(magnitude, vectors.vector(vectors.FLOAT, width))
    value = builder.fmul(small, vectors.constant(vectors.FLOAT, 2.0**112, width))
    sign = builder.and_(words, vectors.constant(vectors.INT32, -(2**31), width))
    whole = builder.or_(builder.bitcast(value, sign.type), sign)
    return builder.bitcast(whole, vectors.vector(vectors.FLOAT, width))
