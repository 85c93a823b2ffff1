"""INT4 weights: symmetric codes −7..7, a scale in one byte per group of inputs and output.

K inputs, N outputs, G group size. Two codes share a byte along K, the even one in the low
nibble, so that N stays contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taolora_ros.quantization.octaves import STEPS, Codes, decode, encode
from taolora_ros.samples import Float32s, Floats

LARGEST = 7  # the code −8 is left unused: a symmetric range needs no zero point
SMALLEST_SCALE = np.float32(2.0**-14)  # smallest normal FP16 number

Packed = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.float16]

_CLIPS = np.arange(1, -12, -1) / STEPS  # octaves above the largest weight that are tried


def pack(codes: Codes) -> Packed:
    """Two codes a byte: `[K, N]` int8 in −7..7 to `[K/2, N]` uint8, even k in the low nibble."""
    assert codes.shape[0] % 2 == 0, 'K is padded to a multiple of the group before packing'
    nibbles = codes.view(np.uint8) & np.uint8(0x0F)
    packed: Packed = nibbles[0::2] | (nibbles[1::2] << np.uint8(4))
    return packed


def unpack(packed: Packed) -> Codes:
    """The inverse of `pack`: `[K/2, N]` uint8 to `[K, N]` int8."""
    codes = np.empty((2 * packed.shape[0], packed.shape[1]), np.int8)
    signed = packed.view(np.int8)
    codes[0::2] = (signed << 4) >> 4  # the arithmetic shift extends the sign
    codes[1::2] = signed >> 4
    return codes


def padded(count: int, group: int) -> int:
    """The smallest multiple of `group` that holds `count` inputs."""
    return -(-count // group) * group


@dataclass(frozen=True, slots=True, eq=False)
class Int4Weight:
    """A weight matrix at 4 bits."""

    packed: Packed  # [K/2, N] two codes a byte, even k in the low nibble
    scale_codes: Codes  # [K/G, N] of `scales`, see `octaves`

    @property
    def group(self) -> int:
        """G, the inputs that share a scale."""
        return 2 * self.packed.shape[0] // self.scale_codes.shape[0]

    @property
    def scales(self) -> Float32s:
        """What a code of 1 is worth, `[K/G, N]`."""
        return decode(self.scale_codes).astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Of codes and scales."""
        return self.packed.nbytes + self.scale_codes.nbytes

    def dense(self) -> Float32s:
        """The weights that the codes stand for, `[K, N]` float32."""
        scales = np.repeat(self.scales, self.group, axis=0)
        return unpack(self.packed) * scales


def fit_int4(weight: Floats, *, group: int, gram: Floats | None = None) -> Int4Weight:
    """Round a weight matrix to 4 bits.

    Without `gram` each code is the nearest one, and each scale the best of a search over
    clipping in the mean squared sense. With it, what is rounded away of one input is given to
    the inputs after it as far as they are correlated with it (GPTQ, Frantar et al. 2023), which
    minimizes the error of the *output*.

    Args:
        weight: `[K, N]`, K a multiple of `group`.
        group: inputs that share a scale.
        gram: `[K, K]` mean of XᵀX over calibration rows, made invertible by the caller.
    """
    rest = np.array(weight, np.float64)
    inputs, outputs = rest.shape
    assert inputs % group == 0, f'K = {inputs} is no multiple of the group {group}'
    codes = np.empty((inputs, outputs), np.int8)
    scales = np.empty((inputs // group, outputs), np.int8)
    spread = None if gram is None else np.linalg.cholesky(np.linalg.inv(gram)).T
    for index in range(inputs // group):
        first = index * group
        block = slice(first, first + group)
        importance = np.ones(group) if spread is None else 1.0 / np.diag(spread)[block] ** 2
        scales[index] = _fit_scales(rest[block], importance)
        step = decode(scales[index])
        if spread is None:
            codes[block] = _round(rest[block], step)
            continue
        for k in range(first, first + group):
            codes[k] = _round(rest[k], step)
            lost = (rest[k] - codes[k] * step) / spread[k, k]
            rest[k + 1 :] -= np.outer(spread[k, k + 1 :], lost)
    return Int4Weight(packed=pack(codes), scale_codes=scales)


def _round(values: Floats, step: Floats) -> Codes:
    return np.clip(np.rint(values / step), -LARGEST, LARGEST).astype(np.int8)


def _fit_scales(block: Floats, importance: Floats) -> Codes:
    """The code of each column's scale in one group, `[N]`, by search over clipping."""
    largest = np.abs(block).max(axis=0)
    best = encode(largest / LARGEST)
    least: Floats = np.full(block.shape[1], np.inf)
    for octaves in _CLIPS:
        code = encode(np.exp2(octaves) * largest / LARGEST)
        step = decode(code)
        error = importance @ (block - _round(block, step) * step) ** 2
        better = error < least
        least, best = np.where(better, error, least), np.where(better, code, best)
    return best
