"""NF4: 4-bit codes at the quantiles of a normal distribution (Dettmers et al. 2023, QLoRA).

K inputs, N outputs. Weights are taken output by output in blocks of 64, each divided by its
largest magnitude. Double quantization: those magnitudes less their mean are rounded to 8 bits in
blocks of 256. Here these codes are integers, which are finer than the paper's FP8.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from taolora_ros.samples import Float32s, Floats

BLOCK = 64  # weights that share a magnitude
OUTER_BLOCK = 256  # magnitudes that share a scale
_TAIL = 0.9677083  # the outermost quantile, of the authors' code
_LARGEST = 127

Bytes = npt.NDArray[np.uint8]


def levels() -> Floats:
    """The 16 values of a code, ascending: 7 negative, 0, and 8 positive, from −1 to 1."""
    quantile = NormalDist().inv_cdf
    positive = [quantile(p) for p in np.linspace(0.5, _TAIL, 9)[1:]]
    negative = [-quantile(p) for p in np.linspace(_TAIL, 0.5, 8)[:-1]]
    values = np.array([*negative, 0.0, *positive])
    scaled: Floats = values / values.max()
    return scaled


@dataclass(frozen=True, slots=True, eq=False)
class NormalFloatWeight:
    """A weight matrix in NF4.

    B blocks of weights, O blocks of magnitudes.
    """

    packed: Bytes  # [32·B] two codes a byte, the first in the low nibble
    magnitudes: npt.NDArray[np.int8]  # [B]
    outer: Float32s  # [O] what a code of a magnitude is worth
    mean: float  # of the magnitudes
    shape: tuple[int, int]  # [K, N]

    @property
    def bytes(self) -> int:
        """Codes, magnitudes and their scales."""
        used = -(-self.shape[0] * self.shape[1] // 2)  # less the padding of the last block
        return used + self.magnitudes.nbytes + self.outer.nbytes + np.float32().nbytes

    def dense(self) -> Float32s:
        """The weights that the codes stand for, `[K, N]` float32."""
        codes = np.stack([self.packed & 0x0F, self.packed >> 4], axis=1).reshape(-1, BLOCK)
        sizes = _restored(self.magnitudes, self.outer, self.mean)
        inputs, outputs = self.shape
        values = (levels()[codes] * sizes[:, None]).ravel()[: inputs * outputs]
        return values.reshape(outputs, inputs).T.astype(np.float32)


def fit_normal_float(weight: Floats) -> NormalFloatWeight:
    """Round a weight matrix `[K, N]` to NF4 with double quantization."""
    flat = np.ascontiguousarray(weight.T).ravel()
    blocks = np.pad(flat, (0, -flat.size % BLOCK)).reshape(-1, BLOCK)
    sizes = np.abs(blocks).max(axis=1)
    mean = float(np.float32(sizes.mean()))
    padded = np.pad(sizes - mean, (0, -sizes.size % OUTER_BLOCK)).reshape(-1, OUTER_BLOCK)
    outer = np.maximum(np.abs(padded).max(axis=1) / _LARGEST, 1e-12).astype(np.float32)
    codes = np.rint(padded / outer[:, None].astype(np.float64))
    magnitudes = codes.astype(np.int8).ravel()[: sizes.size]
    worth = np.maximum(_restored(magnitudes, outer, mean), 1e-12)
    middles = (levels()[1:] + levels()[:-1]) / 2.0
    nearest = np.searchsorted(middles, blocks / worth[:, None]).astype(np.uint8).reshape(-1, 2)
    return NormalFloatWeight(
        packed=nearest[:, 0] | (nearest[:, 1] << np.uint8(4)),
        magnitudes=magnitudes,
        outer=outer,
        mean=mean,
        shape=(weight.shape[0], weight.shape[1]),
    )


def _restored(magnitudes: npt.NDArray[np.int8], outer: Float32s, mean: float) -> Floats:
    worth = np.repeat(outer.astype(np.float64), OUTER_BLOCK)[: magnitudes.size]
    return magnitudes * worth + mean
