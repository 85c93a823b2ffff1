"""What the detector publishes: events, scores, routing and diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode

from taolora_ros.logging import logger
from taolora_ros.msg import AnomalyEvent, AnomalyScore, RoutingStatus
from taolora_ros.nodes import conversions, health
from taolora_ros.nodes.status import Status
from taolora_ros.samples import EventState, Hop, Phase

log = logger(__name__)


class Outlet:
    """The publishers of a detector; all but diagnostics speak only while the node is active."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._events = node.create_lifecycle_publisher(AnomalyEvent, 'taolora/anomalies', 100)
        self._scores = node.create_lifecycle_publisher(AnomalyScore, 'taolora/scores', 100)
        self._routing = node.create_lifecycle_publisher(RoutingStatus, 'taolora/routing', 10)
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._last_ns = -1

    def publish(
        self, hops: Iterable[Hop], channels: Sequence[str], *, uri_of: Callable[[int], str]
    ) -> None:
        """Publish each hop's event and score as it comes.

        Args:
            hops: what the session yields.
            channels: names [C] of the columns.
            uri_of: where the messages around an event, by its number, are written; or empty.
        """
        for hop in hops:
            if hop.event is not None:
                uri = uri_of(hop.event.id)
                message = conversions.event_message(hop.event, channels, snapshot_uri=uri)
                self._events.publish(message)
                if hop.event.state is EventState.ONSET:
                    log.warning('event begins', id=message.id, channel=message.channels[0])
                elif hop.event.state is EventState.END:
                    log.info('event ends', id=message.id, severity=hop.event.severity.name)
            if hop.phase is Phase.WATCHING and hop.last_ns != self._last_ns:
                self._scores.publish(conversions.score_message(hop))
            self._last_ns = hop.last_ns  # a hop that merely closes an event repeats it

    def report(self, status: Status, source: health.Source, *, model: str) -> None:
        """Publish how a running detector is doing."""
        self._routing.publish(
            conversions.routing_message(status, lost=source.lost + source.oversized)
        )
        self._diagnose(health.running(status, source), model)

    def report_idle(self, reason: str, *, model: str) -> None:
        """Publish why a detector does not run."""
        self._diagnose(health.idle(reason), model)

    def _diagnose(self, tasks: Mapping[str, health.Health], model: str) -> None:
        now_ns = self._node.get_clock().now().nanoseconds
        name = self._node.get_fully_qualified_name()
        self._diagnostics.publish(health.diagnostics_message(now_ns, name, model, tasks))

    def await_delivery(self, timeout_s: float) -> None:
        """Let what was published reach its subscribers."""
        self._events.wait_for_all_acked(Duration(seconds=timeout_s))
