"""Positive numbers in a byte: 8·log₂, so that neighbors are 9 % apart and a code is within 5 %."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taolora_ros.samples import Floats

Codes = npt.NDArray[np.int8]

STEPS = 8  # of a code, in an octave
_LARGEST = np.iinfo(np.int8).max  # 2^±15.9


def encode(values: npt.NDArray[np.floating]) -> Codes:
    """The nearest code of each number, int8; numbers beyond 2^±15.9 take the outermost one."""
    tiny = np.finfo(np.float64).tiny
    octaves = STEPS * np.log2(np.maximum(np.asarray(values, np.float64), tiny))
    codes: Codes = np.clip(np.rint(octaves), -_LARGEST, _LARGEST).astype(np.int8)
    return codes


def decode(codes: Codes) -> Floats:
    """What codes stand for: 2^(code/8)."""
    return np.exp2(codes.astype(np.float64) / STEPS)
