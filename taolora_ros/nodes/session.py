"""A configured detector without ROS: messages in, hops out, and what it can say of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ArtifactError
from taolora_ros.hardware.deployment import Deployment
from taolora_ros.ingest.intake import ChannelStatus, IntakeCounts
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.monitoring import LatencyHistogram
from taolora_ros.nodes.options import HealthOptions
from taolora_ros.nodes.shadow import Shadow
from taolora_ros.nodes.status import Status
from taolora_ros.nodes.stillness import Stillness
from taolora_ros.pipeline import Pipeline
from taolora_ros.preservation.clips import ClipRecorder
from taolora_ros.samples import Event, EventState, Gap, Hop, Phase, RawMessage, Routing, Row


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
        recorder: ClipRecorder | None = None,
        health: HealthOptions | None = None,
        shadow: Shadow | None = None,
        no_twin: str = '',
    ) -> None:
        """Make ready.

        Args:
            model: the trained detector.
            registry: definitions of the message types that will come.
            config: settings in force.
            deployment: where it runs.
            clock_ns: a monotonic clock, for latencies.
            recorder: remembers the messages around events; None where they are not wanted.
            health: when a channel is reported.
            shadow: compares the scores of some hops with the FP32 twin's; None where not wanted.
            no_twin: why there is no `shadow`, though one is wanted.

        Raises:
            ArtifactError: `config` asks for something that the model was not trained for.
            DeviceError: the GPU can't be brought up.
        """
        self.model = model
        self.config = config
        self.recorder = recorder
        self.is_enabled = True
        self.completed_ns: int | None = None  # receipt of what completed the last hop
        self._health = health or HealthOptions()
        self._pipeline = Pipeline(model, registry, config, device=deployment.engine.device)
        self._shadow, self._no_twin = shadow, no_twin
        if shadow is not None:
            self._pipeline.engine.on_taken = shadow.take
        self._deployment = deployment
        self._clock_ns = clock_ns
        self._latency = LatencyHistogram()
        self._latency_in_all = LatencyHistogram()
        self._events = self._earlier_events = 0  # highest number; those of artifacts before
        self.reset()

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that the channels name."""
        return self._pipeline.intake.topics

    def reset(self) -> None:
        """Begin a new session: warm up and re-base again, count from 0."""
        self._pipeline.reset()
        if self._shadow is not None:
            self._shadow.reset()
        self._latency.clear()
        self._latency_in_all.clear()
        self._stillness = Stillness(len(self.model.channels))
        self._counted = IntakeCounts()  # by intakes before this one
        self._last: Hop | None = None
        self._hops = self._steady = self._transient = 0
        self._dropped = self._dropped_before = self._disabled = 0
        self._shares: dict[str, float] = {}  # of values that were not finite, at the last report
        self._non_finite = 0

    def push(self, messages: Iterable[RawMessage], *, overdue: int = 0) -> Iterator[Hop]:
        """Take messages in order; yields each hop as soon as it is known.

        Args:
            messages: as they were received.
            overdue: how many of the first are too old: read, recorded and counted, not scored.
        """
        for number, message in enumerate(messages):
            if self.recorder is not None:
                self.recorder.hear(message)
            start_ns = self._clock_ns()
            items = self._pipeline.intake.push(message)
            if not items:
                continue
            self._stillness.push(items)
            if number < overdue or not self.is_enabled:
                yield from self._noted(self._pass_over(items))
            elif hops := self._pipeline.score(items):
                self.completed_ns = message.receive_ns
                duration_ns = (self._clock_ns() - start_ns) // len(hops)
                self._latency.record(duration_ns)
                self._latency_in_all.record(duration_ns)
                yield from self._noted(hops)

    def _pass_over(self, items: list[Row | Gap]) -> list[Hop]:
        rows = sum(isinstance(item, Row) for item in items)
        if self.is_enabled:
            self._dropped += rows
        else:
            self._disabled += rows
        return self._pipeline.pass_over(items)

    def compare(self, spare_ns: int) -> None:
        """Let the FP32 twin catch up, if there is one, in time that nothing else needs."""
        if self._shadow is not None:
            self._shadow.work(spare_ns)

    def finish(self) -> list[Hop]:
        """End the stream: the last hops, and the end of an open event."""
        hops = list(self._noted(self._pipeline.finish()))
        if self.recorder is not None:
            self.recorder.finish()
        return hops

    def enable(self, is_on: bool) -> list[Hop]:
        """Score, or only read and count; the hop that closes the open event."""
        self.is_enabled = is_on
        return [] if is_on else list(self._noted(self._pipeline.pause()))

    def rebase(self) -> list[Hop]:
        """Warm up and re-base on what comes; the hop that closes the open event."""
        return list(self._noted(self._pipeline.rebase()))

    def take_over(self, before: Session) -> list[Hop]:
        """Go on where another session is: its stream, counts and numbers of events.

        Returns:
            The hops that end the other one's stream.

        Raises:
            ArtifactError: the other one watches other channels; it may go on.
        """
        if odd := sorted({*self.model.channels} ^ {*before.model.channels}):
            lack = 'does not watch' if odd[0] in before.model.channels else 'watches'
            raise ArtifactError(
                f'channels: the new artifact {lack} {odd[0]}; '
                'to watch others, set model and configure again'
            )
        counts = before.counts
        last = list(before._noted(self._pipeline.take_over(before._pipeline)))
        if self._pipeline.intake is not before._pipeline.intake:
            self._counted = counts
        else:
            self._stillness, self._counted = before._stillness, before._counted
        self.recorder, self.is_enabled = before.recorder, before.is_enabled
        self._last, self._hops = before._last, before._hops
        self._steady, self._transient = before._steady, before._transient
        self._dropped, self._dropped_before = before._dropped, before._dropped_before
        self._disabled, self._non_finite = before._disabled, before._non_finite
        self._events = self._earlier_events = before._events
        return last

    def _noted(self, hops: list[Hop]) -> Iterator[Hop]:
        for hop in hops:
            is_new = self._last is None or hop.last_ns != self._last.last_ns
            self._hops += is_new
            if is_new and hop.phase is Phase.WATCHING:
                self._transient += hop.routing.is_transient
                self._steady += not hop.routing.is_transient
            numbered = self._numbered(hop)
            self._last = numbered
            if self.recorder is not None:
                self.recorder.follow(numbered)
            yield numbered

    def _numbered(self, hop: Hop) -> Hop:
        """Number events through, whatever artifact finds them."""
        event = hop.event
        if event is None:
            return hop
        if self._earlier_events:
            event = dataclasses.replace(event, id=event.id + self._earlier_events)
            hop = dataclasses.replace(hop, event=event)
        self._events = max(self._events, event.id)
        return hop

    def retune(self, config: Config) -> None:
        """Take new settings while running.

        Raises:
            ArtifactError: they ask for something that the model was not trained for.
        """
        self._pipeline.engine.retune(config)
        self.config = config

    @property
    def counts(self) -> IntakeCounts:
        """What became of all messages, whatever artifact they were read for."""
        now, before = self._pipeline.intake.counts, self._counted
        return IntakeCounts(
            *(
                getattr(now, field.name) + getattr(before, field.name)
                for field in dataclasses.fields(IntakeCounts)
            )
        )

    def report(self, now_ns: int) -> Status:
        """How things stand; latencies begin anew.

        Args:
            now_ns: time on the clock that dates receipt.
        """
        last, intake = self._last, self._pipeline.intake
        channels = self._watched(intake.channel_status(now_ns))
        still_s = tuple(map(float, self._stillness.still_s))
        limit_s = self._health.stuck_s or float('inf')
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
            traffic=self._deployment.traffic(self._pipeline.engine.failure),
            counts=self.counts,
            channels=channels,
            unheard=intake.silent,
            is_in_event=last is not None and is_open(last.event),
            facts=self._deployment.facts(),
            is_enabled=self.is_enabled,
            dropped_rows=self._dropped,
            disabled_rows=self._disabled,
            recent_drops=self._dropped - self._dropped_before,
            still_s=still_s,
            stuck=tuple(
                channel
                for channel, varies, time_s in zip(
                    self.model.channels, self.model.watch.prior.active, still_s, strict=True
                )
                if varies and time_s > limit_s
            ),
            broken=self._broken(channels),
            agreement=self._shadow.agreement if self._shadow else None,
            no_twin=self._no_twin,
            failure=self._pipeline.engine.failure,
        )
        self._latency.clear()
        self._dropped_before = self._dropped
        self._pipeline.engine.buffer.discard()  # live, clips hold the messages
        return status

    def _broken(self, channels: tuple[ChannelStatus, ...]) -> tuple[str, ...]:
        """Channels with values since the last report that are not finite."""
        before, self._non_finite = self._non_finite, self.counts.non_finite
        shares, self._shares = self._shares, {}
        for entry in channels:
            self._shares[entry.channel] = entry.non_finite_share
        if self._non_finite == before:
            return ()
        rising = [name for name, share in self._shares.items() if share > shares.get(name, 0.0)]
        return tuple(rising or [name for name, share in self._shares.items() if share])

    def _watched(self, channels: tuple[ChannelStatus, ...]) -> tuple[ChannelStatus, ...]:
        """Channels whose topic has a timeout of its own are stale by that."""
        timeouts = self._health.timeout_by_topic
        return tuple(
            dataclasses.replace(entry, is_stale=entry.age_s > timeouts[topic])
            if (topic := entry.channel.partition(':')[0]) in timeouts
            else entry
            for entry in channels
        )
