"""A configured detector without ROS: messages in, hops out, and what it can say of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel
from taolora_ros.hardware.deployment import Deployment
from taolora_ros.hardware.plan import Traffic
from taolora_ros.ingest.intake import ChannelStatus, IntakeCounts
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.monitoring import Latency, LatencyHistogram
from taolora_ros.pipeline import Pipeline
from taolora_ros.routing.router import RouterLimits
from taolora_ros.samples import Event, EventState, Hop, Phase, RawMessage, Routing


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


def is_open(event: Event | None) -> bool:
    """Whether an event goes on after the hop that it came with."""
    return event is not None and event.state is not EventState.END


class Session:
    """Runs a trained detector from activation to deactivation."""

    def __init__(
        self,
        model: DetectorModel,
        registry: TypeRegistry,
        config: Config,
        *,
        deployment: Deployment,
        clock_ns: Callable[[], int],
    ) -> None:
        """Make ready.

        Args:
            model: the trained detector.
            registry: definitions of the message types that will come.
            config: settings in force.
            deployment: where it runs.
            clock_ns: a monotonic clock, for latencies.

        Raises:
            ArtifactError: `config` asks for something that the model was not trained for.
        """
        self.model = model
        self.config = config
        self._pipeline = Pipeline(model, registry, config)
        self._deployment = deployment
        self._clock_ns = clock_ns
        self._latency = LatencyHistogram()
        self._latency_in_all = LatencyHistogram()
        self.reset()

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that the channels name."""
        return self._pipeline.intake.topics

    def reset(self) -> None:
        """Begin a new session: warm up and re-base again, count from 0."""
        self._pipeline.reset()
        self._latency.clear()
        self._latency_in_all.clear()
        self._last: Hop | None = None
        self._hops = self._steady = self._transient = 0

    def push(self, messages: Iterable[RawMessage]) -> Iterator[Hop]:
        """Take messages in order; yields each hop as soon as it is known."""
        for message in messages:
            start_ns = self._clock_ns()
            hops = self._pipeline.push(message)
            if hops:
                duration_ns = (self._clock_ns() - start_ns) // len(hops)
                self._latency.record(duration_ns)
                self._latency_in_all.record(duration_ns)
                yield from self._noted(hops)

    def finish(self) -> list[Hop]:
        """End the stream: the last hops, and the end of an open event."""
        return list(self._noted(self._pipeline.finish()))

    def _noted(self, hops: list[Hop]) -> Iterator[Hop]:
        for hop in hops:
            is_new = self._last is None or hop.last_ns != self._last.last_ns
            self._hops += is_new
            if is_new and hop.phase is Phase.WATCHING:
                self._transient += hop.routing.is_transient
                self._steady += not hop.routing.is_transient
            self._last = hop
            yield hop

    def retune(self, config: Config) -> None:
        """Take new settings while running.

        Raises:
            ArtifactError: they ask for something that the model was not trained for.
        """
        self._pipeline.engine.retune(config)
        self.config = config

    def report(self, now_ns: int) -> Status:
        """How things stand; latencies begin anew.

        Args:
            now_ns: time on the clock that dates receipt.
        """
        last, intake = self._last, self._pipeline.intake
        status = Status(
            phase=last.phase if last else Phase.WARMING,
            last_ns=last.last_ns if last else 0,
            hop_s=self.config.hop_s,
            hops=self._hops,
            steady_tokens=self._steady,
            transient_tokens=self._transient,
            routing=last.routing if last else Routing(False, 0.0, 0.0, 0.0),
            limits=self.model.watch.limits,
            latency=self._latency.summary(),
            latency_in_all=self._latency_in_all.summary(),
            traffic=self._deployment.memory.traffic,
            counts=intake.counts,
            channels=intake.channel_status(now_ns),
            unheard=intake.silent,
            is_in_event=last is not None and is_open(last.event),
            facts=self._deployment.facts(),
        )
        self._latency.clear()
        return status
