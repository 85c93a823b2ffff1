"""From messages to hops: the one path that live operation, evaluation and replay share."""

from __future__ import annotations

from collections.abc import Sequence

from taolora_ros.config import Config, Device
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.ingest.intake import Intake
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.model.dual_path import BuildLayer
from taolora_ros.samples import Gap, Hop, RawMessage, Row

_END_OF_TIME_NS = 2**63 - 1


class Pipeline:
    """Intake and engine of one trained detector."""

    def __init__(
        self,
        model: DetectorModel,
        registry: TypeRegistry,
        config: Config | None = None,
        *,
        build: BuildLayer | None = None,
        device: Device = Device.CPU,
    ) -> None:
        """Make ready for a stream.

        Args:
            model: the trained detector.
            registry: definitions of the message types that will come.
            config: settings for detection, preservation and intake; the model's own by default.
            build: the arithmetic of the dense layers; routed TAO-LoRA by default.
            device: where the network runs, CPU or CUDA.
        """
        self.config = config or model.config
        self.intake = Intake(model.channels, self.config.ingest, registry)
        self.engine = Engine(model, self.config, build=build, device=device)
        self._left_ns: int | None = None  # first row that was passed over; None while scoring

    def push(self, message: RawMessage) -> list[Hop]:
        """Take one message; returns the hops that it completed, most often none."""
        return self.score(self.intake.push(message))

    def finish(self) -> list[Hop]:
        """End the stream: the last rows, and the end of an open event."""
        hops = self.score(self.intake.flush())
        return [*hops, *self.pause()]

    def reset(self) -> None:
        """Begin a new session, as after a clock jump or the swap of a robot's tool."""
        self.intake.reset()
        self.engine.reset()
        self._left_ns = None

    def rebase(self) -> list[Hop]:
        """Re-base the channels on the next rows; intake and counts go on.

        Returns:
            The hop that closes the open event, if there is one.
        """
        closing = self.engine.rebase()
        return [closing] if closing else []

    def score(self, items: Sequence[Row | Gap]) -> list[Hop]:
        """Take rows and gaps of the intake; returns the hops that they completed."""
        hops: list[Hop | None] = []
        for item in items:
            if self._left_ns is not None and isinstance(item, Row):
                hops.append(self.engine.push(Gap(self._left_ns, item.stamp_ns)))
                self._left_ns = None
            hops.append(self.engine.push(item))
        return [hop for hop in hops if hop is not None]

    def pass_over(self, items: Sequence[Row | Gap]) -> list[Hop]:
        """Score none of these rows: what is scored next follows after a gap.

        Returns:
            The hop that closes the open event, if there is one.
        """
        for item in items:
            if isinstance(item, Gap) and item.end_ns < item.start_ns:
                self._left_ns = _END_OF_TIME_NS  # time ran back meanwhile: re-base
            elif self._left_ns is None:
                self._left_ns = item.stamp_ns if isinstance(item, Row) else item.start_ns
        return self.pause() if items else []

    def pause(self) -> list[Hop]:
        """Empty the windows; the hop that closes the open event, if there is one."""
        closing = self.engine.finish()
        return [closing] if closing else []

    def take_over(self, before: Pipeline) -> list[Hop]:
        """Go on with another pipeline's stream, which ends there.

        Where both read the same rows, its intake goes on: no sample is lost in between.

        Returns:
            The last hops of the other one.
        """
        is_same = self.intake.channels == before.intake.channels
        if not is_same or self.config.ingest != before.config.ingest:
            return before.finish()
        self.intake = before.intake
        return before.pause()
