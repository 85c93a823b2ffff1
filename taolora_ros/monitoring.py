"""Latency histograms and memory: what the detector knows of its own speed, at fixed cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NS_PER_S = 1e9
_BYTES_PER_KB, _BYTES_PER_MB = 1024, 1e6  # kB as the kernel counts them
_SUB_BITS = 5  # 32 buckets an octave: a percentile is at most 1/32 too high
_SUB = 1 << _SUB_BITS
HISTOGRAM_BUCKETS = (64 - _SUB_BITS) * _SUB  # of a latency histogram, 8 bytes each


@dataclass(frozen=True, slots=True)
class Latency:
    """How long something took, over the durations recorded; all 0 where there is none."""

    count: int
    p50_s: float
    p99_s: float
    p999_s: float
    max_s: float


class LatencyHistogram:
    """Durations in buckets that widen with them: 15 kB, however many are recorded."""

    def __init__(self) -> None:
        self._counts = [0] * HISTOGRAM_BUCKETS
        self._count = 0
        self._max_ns = 0

    def record(self, duration_ns: int) -> None:
        """Add one duration; a negative one (a clock that stepped) counts as 0."""
        duration_ns = max(0, duration_ns)
        self._counts[_bucket(duration_ns)] += 1
        self._count += 1
        self._max_ns = max(self._max_ns, duration_ns)

    @contextmanager
    def timed(self, clock_ns: Callable[[], int]) -> Iterator[None]:
        """Record how long the body takes on a monotonic clock."""
        start_ns = clock_ns()
        yield
        self.record(clock_ns() - start_ns)

    def quantile_ns(self, share: float) -> int:
        """Smallest bucket end that at least this share of the durations does not exceed."""
        needed = max(1, math.ceil(share * self._count))
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= needed:
                return min(_last(index), self._max_ns)
        return self._max_ns

    def summary(self) -> Latency:
        """Median, 99th and 99.9th percentile, and maximum, in s."""
        p50_s, p99_s, p999_s = (self.quantile_ns(share) / NS_PER_S for share in (0.5, 0.99, 0.999))
        return Latency(self._count, p50_s, p99_s, p999_s, self._max_ns / NS_PER_S)

    def clear(self) -> None:
        """Forget everything: a new report period begins."""
        self._counts = [0] * HISTOGRAM_BUCKETS
        self._count = self._max_ns = 0


def _bucket(duration_ns: int) -> int:
    """Index of a duration: its octave, then its 32nd of that octave; exact below 64."""
    shift = max(0, duration_ns.bit_length() - _SUB_BITS - 1)
    return shift * _SUB + (duration_ns >> shift)


def _last(index: int) -> int:
    """Largest duration of a bucket, in ns."""
    shift = max(0, index // _SUB - 1)
    return ((index - shift * _SUB + 1) << shift) - 1


def resident_mb(status: Path = Path('/proc/self/status'), *, field: str = 'VmRSS') -> float:
    """Memory of a process in MB (10⁶ bytes); 0 where the system does not tell.

    Args:
        status: of the process, in /proc; this one's by default.
        field: `VmRSS`, resident now, or `VmHWM`, most that was ever resident.
    """
    try:
        lines = status.read_text(encoding='ascii', errors='replace').splitlines()
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in lines if line.startswith(f'{field}:')]
    return int(sizes[0]) * _BYTES_PER_KB / _BYTES_PER_MB if sizes else 0.0
