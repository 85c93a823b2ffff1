"""From messages to hops: the one path that live operation, evaluation and replay share."""

from __future__ import annotations

from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.ingest.intake import Intake
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.model.dual_path import BuildLayer
from taolora_ros.samples import Gap, Hop, RawMessage, Row


class Pipeline:
    """Intake and engine of one trained detector."""

    def __init__(
        self,
        model: DetectorModel,
        registry: TypeRegistry,
        config: Config | None = None,
        *,
        build: BuildLayer | None = None,
    ) -> None:
        """Make ready for a stream.

        Args:
            model: the trained detector.
            registry: definitions of the message types that will come.
            config: settings for detection, preservation and intake; the model's own by default.
            build: the arithmetic of the dense layers; routed TAO-LoRA by default.
        """
        settings = config or model.config
        self.intake = Intake(model.channels, settings.ingest, registry)
        self.engine = Engine(model, settings, build=build)

    def push(self, message: RawMessage) -> list[Hop]:
        """Take one message; returns the hops that it completed, most often none."""
        return self._feed(self.intake.push(message))

    def finish(self) -> list[Hop]:
        """End the stream: the last rows, and the end of an open event."""
        hops = self._feed(self.intake.flush())
        closing = self.engine.finish()
        return [*hops, closing] if closing else hops

    def reset(self) -> None:
        """Begin a new session, as after a clock jump or the swap of a robot's tool."""
        self.intake.reset()
        self.engine.reset()

    def _feed(self, items: list[Row | Gap]) -> list[Hop]:
        return [hop for item in items if (hop := self.engine.push(item)) is not None]
