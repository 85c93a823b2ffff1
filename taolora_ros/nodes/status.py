"""What a running detector says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taolora_ros.hardware.plan import Traffic
from taolora_ros.ingest.intake import ChannelStatus, IntakeCounts
from taolora_ros.monitoring import Latency
from taolora_ros.routing.router import RouterLimits
from taolora_ros.samples import Phase, Routing


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the scores at 4 bits and those of the FP32 twin agree, since activation."""

    hops: int = 0  # compared
    differing: int = 0  # of these, where one score reaches the threshold and the other doesn't
    mean_difference: float = 0.0  # of the scores, without sign, in decades
    largest_difference: float = 0.0
    dropped_stretches: int = 0  # not compared, since the twin did not keep up

    @property
    def differing_share(self) -> float:
        """Share of the compared hops where the decisions differ, 0 to 1."""
        return self.differing / self.hops if self.hops else 0.0


@dataclass(frozen=True, slots=True)
class Status:
    """What a running detector has seen and done, since activation where nothing else is said."""

    phase: Phase
    last_ns: int  # stamp of the last hop's last row; 0 before the first
    hop_s: float  # time between two hops
    hops: int
    steady_tokens: int
    transient_tokens: int
    routing: Routing  # of the last token
    limits: RouterLimits
    latency: Latency  # of a hop, since the last report
    latency_in_all: Latency  # of a hop
    traffic: Traffic  # what a hop reads
    counts: IntakeCounts
    channels: tuple[ChannelStatus, ...]
    unheard: tuple[str, ...]  # channels without a value so far; while there are such, no hop
    is_in_event: bool
    facts: Mapping[str, str]  # engine, memory and machine in words, by name
    is_enabled: bool = True  # whether rows are scored
    dropped_rows: int = 0  # rows not scored, because the machine did not keep up
    disabled_rows: int = 0  # rows not scored, because scoring was off
    recent_drops: int = 0  # of `dropped_rows`, those since the last report
    still_s: tuple[float, ...] = ()  # [C] for how long each channel has repeated one value
    stuck: tuple[str, ...] = ()  # channels that have done so longer than `stuck_s`
    broken: tuple[str, ...] = ()  # channels with values that are not finite since the last report
    agreement: Agreement | None = None  # None while there is no fidelity watch
    no_twin: str = ''  # why there is none, though one is wanted
    failure: str = ''  # why the GPU was given up; empty while it runs, and on the CPU

    @property
    def transient_share(self) -> float:
        """Share of the tokens that took the FP16 path, 0 to 1."""
        tokens = self.steady_tokens + self.transient_tokens
        return self.transient_tokens / tokens if tokens else 0.0

    @property
    def bytes_moved(self) -> int:
        """Weights and states that the tokens' hops have read."""
        return self.traffic.moved(
            steady_hops=self.steady_tokens, transient_hops=self.transient_tokens
        )

    @property
    def stale(self) -> tuple[str, ...]:
        """Channels that have been silent longer than `stale_s`."""
        return tuple(status.channel for status in self.channels if status.is_stale)
