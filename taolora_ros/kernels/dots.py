"""Sums of INT4 weights times INT8 activations, in what this processor has for them.

Weights are stored two codes a byte. A nibble in a byte's upper half, with zeros below, is 16·w as
a signed byte: one mask or one shift makes bytes of nibbles, and all sums are of 16·w. Where the
processor multiplies bytes without a sign by bytes with one, codes of activations are stored as
q + 128, and

    Σ_k (q[k] + 128) · 16·w[k] − 128·16 · Σ_k w[k] = 16 · Σ_k q[k] · w[k]

so that sums start at −2048·Σw. They end at the same exact integers in every unit: |Σ| of 256
inputs is at most 256·226·112, far below 2³¹, and what is left in the end below 2²⁴.

K inputs, N outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from taolora_ros.kernels import vectors
from taolora_ros.kernels.processor import Processor, target

INPUTS = 8  # that one load of weights serves: 4 in the low nibbles, 4 in the high ones
TIMES = 16  # what sums are of w

_SPAN = 4  # loads: 16 products of up to 98·7 to each 16-bit sum, a third of what it holds
_NIBBLES = -0x0F0F0F10  # 0xF0F0F0F0 with its sign
_RAISED = 128

Sums = Sequence[Sequence[Any]]  # of rows, and of vectors of outputs; variables of int32
Load = Callable[[int, Any], Any]  # from the number of a vector or row, and that of a load


@dataclass(frozen=True)
class Unit(ABC):
    """What multiplies and adds integers."""

    name: str
    lanes: int  # outputs that a register holds
    rows: int  # that share the weights of one pass; as many sums as registers hold
    widths: tuple[int, ...]  # outputs of a pass, from many to the 8 that N is a multiple of
    raised: int  # what is added to the codes of activations: 0 or 128

    @abstractmethod
    def add(self, builder: Any, sums: Sums, first: Any, last: Any, w: Load, q: Load) -> None:
        """Add the products of some inputs to sums.

        Args:
            builder: of LLVM.
            sums: int32 variables, of rows and vectors; changed.
            first: the first load of weights.
            last: the one after the last.
            w: gives a vector of weights, `[lanes]` int32 of four bytes each.
            q: gives the pointer to the eight codes of a row, bytes.
        """


@dataclass(frozen=True)
class Dots(Unit):
    """One instruction adds four products to each 32-bit sum."""

    instruction: str  # LLVM's, for a number of bits or lanes
    is_bytes: bool = False  # whether it takes vectors of bytes, or of their words

    def add(self, builder: Any, sums: Sums, first: Any, last: Any, w: Load, q: Load) -> None:
        """See `Unit`."""
        with vectors.steps(builder, first, last, 1) as eight:
            places = range(len(sums[0]))
            weights = [_halves(builder, w(place, eight)) for place in places]
            for half in range(2):
                for row, row_sums in enumerate(sums):
                    word = _word(builder, q(row, eight), half)
                    for place, total in enumerate(row_sums):
                        self._dot(builder, total, weights[place][half], word)

    def _dot(self, builder: Any, total: Any, weights: Any, word: Any) -> None:
        kind, width = weights.type, weights.type.count
        codes = vectors.splat(builder, word, width)
        taken = vectors.vector(vectors.INT8, 4 * width) if self.is_bytes else kind
        name = self.instruction.format(bits=32 * width, lanes=width, bytes=4 * width)
        operands = [builder.bitcast(part, taken) for part in (codes, weights)]
        before = builder.load(total)
        builder.store(vectors.call(builder, name, kind, before, *operands), total)


@dataclass(frozen=True)
class Shorts(Unit):
    """16-bit products and sums, which every processor's vectors have; widened now and then."""

    def add(self, builder: Any, sums: Sums, first: Any, last: Any, w: Load, q: Load) -> None:
        """See `Unit`."""
        with vectors.steps(builder, first, last, _SPAN) as start:
            stop = builder.add(start, ir.Constant(vectors.INDEX, _SPAN))
            stop = builder.select(builder.icmp_signed('<', stop, last), stop, last)
            parts = [[_shorts(builder, total) for total in row_sums] for row_sums in sums]
            with vectors.steps(builder, start, stop, 1) as eight:
                weights = [_fields(builder, w(place, eight)) for place in range(len(sums[0]))]
                for row, row_parts in enumerate(parts):
                    codes = _pairs(builder, q(row, eight))
                    for place, part in enumerate(row_parts):
                        _multiply(builder, part, weights[place], codes)
            for row_sums, row_parts in zip(sums, parts, strict=True):
                for total, part in zip(row_sums, row_parts, strict=True):
                    both = _widened(builder, builder.load(part))
                    builder.store(builder.add(builder.load(total), both), total)


def _halves(builder: Any, words: Any) -> tuple[Any, Any]:
    """The bytes of the low nibbles and of the high ones."""
    mask = vectors.constant(vectors.INT32, _NIBBLES, words.type.count)
    low = builder.shl(words, vectors.constant(vectors.INT32, 4, words.type.count))
    return builder.and_(low, mask), builder.and_(words, mask)


def _word(builder: Any, codes: Any, half: int) -> Any:
    """Four neighboring codes as one int32."""
    place = builder.gep(codes, [ir.Constant(vectors.INDEX, 4 * half)])
    return builder.load(builder.bitcast(place, vectors.INT32.as_pointer()), align=1)


def _shorts(builder: Any, total: Any) -> Any:
    """A place for two 16-bit parts of each sum."""
    width = 2 * total.type.pointee.count
    return vectors.variable(builder, vectors.constant(vectors.INT16, 0, width))


def _fields(builder: Any, words: Any) -> list[Any]:
    """The four nibbles of every 16 bits, with their signs."""
    width = 2 * words.type.count
    shorts = builder.bitcast(words, vectors.vector(vectors.INT16, width))
    by = [vectors.constant(vectors.INT16, 4 * place, width) for place in range(4)]
    return [builder.ashr(builder.shl(shorts, by[3 - place]), by[3]) for place in range(4)]


def _pairs(builder: Any, codes: Any) -> list[Any]:
    """Codes beside `_fields`: of inputs 0 and 2, 4 and 6, 1 and 3, 5 and 7, each pair an int32."""
    eight = vectors.load(builder, codes, ir.Constant(vectors.INDEX, 0), INPUTS)
    shorts = builder.sext(eight, vectors.vector(vectors.INT16, INPUTS))
    ordered = vectors.shuffle(builder, shorts, [0, 2, 4, 6, 1, 3, 5, 7])
    words = builder.bitcast(ordered, vectors.vector(vectors.INT32, 4))
    return [builder.extract_element(words, ir.Constant(vectors.INT32, k)) for k in range(4)]


def _multiply(builder: Any, part: Any, weights: Sequence[Any], codes: Sequence[Any]) -> None:
    kind = weights[0].type
    for field, word in zip(weights, codes, strict=True):
        pair = builder.bitcast(vectors.splat(builder, word, kind.count // 2), kind)
        builder.store(builder.add(builder.load(part), builder.mul(field, pair)), part)


def _widened(builder: Any, parts: Any) -> Any:
    """16 times the sums of two neighboring int16, as int32."""
    width = parts.type.count // 2
    words = builder.bitcast(parts, vectors.vector(vectors.INT32, width))
    half, four = (vectors.constant(vectors.INT32, bits, width) for bits in (16, 4))
    low = builder.ashr(builder.shl(words, half), half)
    return builder.shl(builder.add(low, builder.ashr(words, half)), four)


AVX512_VNNI = Dots(
    name='avx512-vnni',
    lanes=16,
    rows=4,
    widths=(32, 24, 16, 8),
    instruction='llvm.x86.avx512.vpdpbusd.{bits}',
    raised=_RAISED,
)
AVX_VNNI = Dots(
    name='avx-vnni',
    lanes=8,
    rows=2,
    widths=(16, 8),
    instruction='llvm.x86.avx512.vpdpbusd.{bits}',
    raised=_RAISED,
)
SDOT = Dots(
    name='sdot',
    lanes=4,
    rows=2,
    widths=(16, 8),
    instruction='llvm.aarch64.neon.sdot.v{lanes}i32.v{bytes}i8',
    raised=0,
    is_bytes=True,
)
SHORTS = Shorts(name='int16', lanes=8, rows=2, widths=(16, 8), raised=0)


def fitting(processor: Processor) -> Unit:
    """The best unit that a processor has."""
    if processor.has_avx512_vnni:
        return AVX512_VNNI
    if processor.has_avx_vnni:
        return AVX_VNNI
    return SDOT if processor.has_sdot else SHORTS


UNIT = fitting(target())
