"""Elementwise code over any number of floats, a vector at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from taolora_ros.kernels import vectors
from taolora_ros.kernels.processor import target

_HAS_MASKS = target().has_masks


@dataclass(frozen=True)
class Chunk:
    """Some neighbors among many: a vector, or as much of one as there is left.

    Args:
        builder: as everywhere here.
        index: of the first.
        width: elements of the vector.
        count: of all elements, where the vector may reach beyond them.
    """

    builder: Any
    index: Any
    width: int
    count: Any = None

    def load(self, pointer: Any, offset: Any = None) -> Any:
        """These neighbors of an array; the same ones `offset` elements farther, if told so."""
        if offset is not None:
            pointer = self.builder.gep(pointer, [offset])
        if self.count is None:
            return vectors.load(self.builder, pointer, self.index, self.width)
        return vectors.load_some(self.builder, pointer, self.index, self.width, self.count)

    def store(self, value: Any, pointer: Any, offset: Any = None) -> None:
        """Write them."""
        if offset is not None:
            pointer = self.builder.gep(pointer, [offset])
        if self.count is None:
            vectors.store(self.builder, value, pointer, self.index)
        else:
            vectors.store_some(self.builder, value, pointer, self.index, self.count)

    def number(self, value: float) -> Any:
        """A vector of one number."""
        return vectors.constant(vectors.FLOAT, value, self.width)


def chunks(builder: Any, count: Any, emit: Callable[[Chunk], None]) -> None:
    """Code for so many elements, a vector at a time.

    What is left over in the end is part of a vector where the processor has masks, and single
    elements elsewhere.

    Args:
        builder: as everywhere here.
        count: of elements.
        emit: writes the code for a chunk.
    """
    first: Any = ir.Constant(vectors.INDEX, 0)
    for width in (64, 16) if _HAS_MASKS else (32, 8, 1):
        last = vectors.whole_steps(builder, first, count, width)
        with vectors.steps(builder, first, last, width) as index:
            emit(Chunk(builder, index, width))
        first = last
    if _HAS_MASKS:
        with builder.if_then(builder.icmp_signed('<', first, count)):
            emit(Chunk(builder, first, 16, count))
