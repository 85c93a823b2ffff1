"""What a hop costs a stream when many streams are watched at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.evaluation.speed.timing import Pace, Times, alternate

_NOISE = 0.03  # share that a cost may rise by and still count as not rising


@dataclass(frozen=True, eq=False)
class StreamCosts:
    """Times of a hop of all streams on one device, by their number."""

    times: Mapping[int, Times]

    def us_per_stream(self, streams: int) -> float:
        """Median cost of a hop of one stream among so many."""
        return self.times[streams].median_us / streams

    @property
    def last_over_first(self) -> float:
        """Cost with the most streams over that with the fewest."""
        return self.us_per_stream(max(self.times)) / self.us_per_stream(min(self.times))

    @property
    def largest_rise(self) -> float:
        """Cost with any number of streams over the least with fewer, at its most; 1 is as much."""
        costs = [self.us_per_stream(streams) for streams in sorted(self.times)]
        least = itertools.accumulate(costs, min)
        return max(after / before for before, after in zip(least, costs[1:], strict=False))

    @property
    def falls_throughout(self) -> bool:
        """Whether more streams never cost more each, but for 3 % of noise."""
        return self.largest_rise <= 1.0 + _NOISE

    def rows(self) -> list[dict[str, Any]]:
        """A row for every number of streams."""
        return [
            {
                'streams': streams,
                'hop_us': self.times[streams].median_us,
                'hop_p99_us': self.times[streams].p99_us,
                'us_per_stream': self.us_per_stream(streams),
            }
            for streams in sorted(self.times)
        ]

    def targets(self, prefix: str, device: str) -> tuple[Target, ...]:
        """Many streams have to cost less each than one, and no number more than fewer."""
        many, one = max(self.times), min(self.times)
        return (
            Target(
                f'{prefix}last_over_first',
                f'cost a stream on the {device}, {many} streams / {one}',
                self.last_over_first,
                at_most=1.0,
            ),
            Target(
                f'{prefix}largest_rise',
                f'cost a stream on the {device}, any number of streams / the least with fewer, at '
                f'most (falls throughout, but for {_NOISE:.0%} of noise)',
                self.largest_rise,
                at_most=1.0 + _NOISE,
            ),
        )


@dataclass(frozen=True, eq=False)
class StreamsFindings:
    """Costs on the CPU, and on a GPU where there is one."""

    cpu: StreamCosts
    gpu: StreamCosts | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Whether costs fall, and a table for each device."""
        figures: dict[str, Any] = {
            'last_over_first': self.cpu.last_over_first,
            'largest_rise': self.cpu.largest_rise,
            'falls_throughout': self.cpu.falls_throughout,
            'by_streams': self.cpu.rows(),
        }
        if self.gpu is None:
            return figures
        return {
            **figures,
            'gpu_last_over_first': self.gpu.last_over_first,
            'gpu_largest_rise': self.gpu.largest_rise,
            'gpu_falls_throughout': self.gpu.falls_throughout,
            'gpu_by_streams': self.gpu.rows(),
        }

    def targets(self) -> tuple[Target, ...]:
        """Of each device."""
        on_gpu = () if self.gpu is None else self.gpu.targets('gpu_', 'GPU')
        return (*self.cpu.targets('', 'CPU'), *on_gpu)


def measure_streams(
    steps: Mapping[int, Callable[[], object]],
    pace: Pace,
    *,
    progress: Callable[[float], None] = lambda share: None,
) -> StreamCosts:
    """Time hops of different numbers of streams on one device in turn.

    Args:
        steps: takes one hop of all streams, by their number.
        pace: how often each is called.
        progress: told the share that is done, 0 to 1.
    """
    named = {str(streams): step for streams, step in steps.items()}
    times = alternate(named, pace, progress=progress)
    return StreamCosts({streams: times[str(streams)] for streams in steps})
