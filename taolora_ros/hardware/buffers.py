"""One buffer of a running detector: what it holds, how large it is, and where it lives."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np


class Part(enum.Enum):
    """What a buffer belongs to; the value names it in messages."""

    WEIGHTS = 'packed weights'
    OPERANDS = 'weights laid out anew'  # what the CPU engine reads in place of the packed ones
    STATE = 'states'
    SCRATCH = 'scratch'  # of no value between hops
    EXCHANGE = 'inputs and outputs'
    ROUTER = 'router'
    EVIDENCE = 'evidence'
    CALIBRATION = 'calibration'
    OUTLIERS = 'outlier buffer'
    INTAKE = 'intake'
    MONITORING = 'monitoring'


class Place(enum.Enum):
    """Which memory; on a Jetson, both are the same chips."""

    HOST = 'host'
    GPU = 'gpu'


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A buffer, and how much of it a hop of one stream reads."""

    name: str  # e.g. 'skip.linear.packed'
    part: Part
    shape: tuple[int, ...]
    dtype: str  # NumPy's name of it
    place: Place = Place.HOST
    steady_bytes: int = 0  # that any hop reads
    fp16_bytes: int = 0  # that a transient hop reads besides
    is_spare: bool = False  # of the CPU engine beside the GPU's: read once that has failed

    @property
    def bytes(self) -> int:
        """How large it is."""
        return size_of(self.shape, self.dtype)


def size_of(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of an array."""
    return math.prod(shape) * np.dtype(dtype).itemsize
