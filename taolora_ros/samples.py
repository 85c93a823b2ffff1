"""The shared vocabulary: what travels from a message to an event.

Shapes: C channels, P grid rows a patch. Stamps are nanoseconds since the epoch of the clock
that the recording or the graph uses.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NS_PER_S = 1_000_000_000


class RawMessage(NamedTuple):  # made in half the time of a frozen dataclass
    """One message as it was received or recorded, still serialized."""

    topic: str
    type_name: str  # e.g. 'sensor_msgs/msg/Imu'
    data: bytes | memoryview  # CDR with its four-byte encapsulation header
    receive_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One sample of every channel on the common grid."""

    stamp_ns: int  # start of the cell
    values: Floats  # [C] mean of the cell's samples; held or interpolated where it has none
    peaks: Floats  # [C] the cell's farthest sample minus that mean; 0 with fewer than two samples
    fresh: Bools  # [C] whether a sample fell into the cell


@dataclass(frozen=True, slots=True)
class Gap:
    """The stream broke: what follows does not continue what came before."""

    start_ns: int  # end of the last row before the gap
    end_ns: int  # start of the first row after it


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A whole recording on the grid; `starts` are the rows at which a new segment begins."""

    name: str
    stamps_ns: Ints  # [T]
    values: Floats  # [T, C]
    peaks: Floats  # [T, C]
    starts: tuple[int, ...] = (0,)


class Phase(enum.Enum):
    """What the detector can say about the present hop."""

    WARMING = 'warming'  # too few rows since start, gap or reset to score
    WATCHING = 'watching'


@dataclass(frozen=True, slots=True)
class Routing:
    """Why one token took the route it took."""

    is_transient: bool
    variance_ratio: float  # fast variance over its slow baseline, largest of the channels
    energy_z: float  # robust z-score of the high-frequency energy, largest of the channels
    clip_share: float  # share of the token's activations beyond the steady INT4 clip, 0 to 1


class EventState(enum.Enum):
    """Where in its life an event is."""

    ONSET = 0
    ONGOING = 1
    END = 2


class Severity(enum.IntEnum):
    """How far above the threshold the event's peak score lies."""

    MINOR = 1  # less than 1 decade
    MAJOR = 2  # less than 2 decades
    CRITICAL = 3


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A physical event: from its onset over its peak to its end."""

    id: int
    state: EventState
    severity: Severity
    onset_ns: int
    peak_ns: int
    end_ns: int  # last stamp in alarm so far
    score: float  # evidence of the present hop, in decades
    peak_score: float
    threshold: float
    p_value: float  # of the peak
    contributions: Floats  # [C], sums to 1
    fp16_share: float  # share of the event's tokens that took the FP16 path, 0 to 1


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """All that is known after one token of P rows."""

    first_ns: int  # stamp of the token's first row
    last_ns: int  # stamp of its last row
    phase: Phase
    score: float  # combined evidence, in decades; 0 while warming
    threshold: float
    p_value: float  # probability of a normal hop scoring as high; 1 while warming
    contributions: Floats  # [C], sums to 1; to 0 while warming, and where it only ends an event
    routing: Routing
    event: Event | None  # set on onset, while it lasts, and once at its end
