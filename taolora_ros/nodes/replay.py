"""Replay: plays a recording on its own topics, with simulated time on `/clock`.

Run it as `python -m taolora_ros.nodes.replay --ros-args -p bag:=runs/rosa_N204`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rclpy.clock import Clock as NodeClock
from rclpy.clock import ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from taolora_ros import bags, logging
from taolora_ros.config import setting
from taolora_ros.errors import BagError, ConfigError, MessageError, nearest
from taolora_ros.nodes.conversions import time_message
from taolora_ros.nodes.logs import bridge_logs
from taolora_ros.nodes.message_types import message_class
from taolora_ros.nodes.parameters import Parameters, settings_of
from taolora_ros.nodes.process import serve
from taolora_ros.nodes.timeline import Timeline
from taolora_ros.samples import RawMessage

POLL_NS = 50_000_000
SETTLE_POLLS = 12  # polls over which the subscribers have to stay the same
SLACK_NS = 500_000  # a message may come this much early: a timer is no more precise
BURST = 100  # messages between two looks at signals and services
DELIVERY_S = 2.0  # how long a topic's last messages may take to reach their subscribers
CLOCK = '/clock'
log = logging.logger('taolora_ros.nodes.replay')  # also when it runs as __main__


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What to play, and how."""

    bag: str = setting('', 'path of the recording: a rosbag2 folder or an mcap file')
    rate: float = setting(1.0, 'times faster than recorded', low=0.01, high=1000.0)
    loop: bool = setting(False, 'start again at the end; time jumps back')
    topics: tuple[str, ...] = setting((), 'topics to play; all where empty')
    clock: bool = setting(True, 'publish the time of receipt on /clock before each message')
    wait_for_subscribers: bool = setting(True, 'begin once somebody listens')
    queue: int = setting(
        1000, 'messages of one topic that a slow subscriber may be behind', low=1, high=100_000
    )


class Replay(Node):
    """Recorded messages to publishers, at the pace of the recording."""

    def __init__(self) -> None:
        """Open the recording and offer its topics.

        Raises:
            ConfigError: a parameter that is not valid.
            BagError: a recording that can't be played.
        """
        super().__init__('taolora_replay')
        bridge_logs(self)
        self.exit_code: int | None = None
        parameters = Parameters(self, settings_of(ReplayOptions))
        parameters.on_change(parameters.require_live)
        self._options = parameters.fill(ReplayOptions())
        parameters.show(self._options)
        if not self._options.bag:
            raise ConfigError('bag: not set; pass a recording, e.g. -p bag:=runs/normal')
        self._qos = QoSProfile(depth=self._options.queue, reliability=ReliabilityPolicy.RELIABLE)
        self._topics = self._offer(bags.topics(self._options.bag))
        self._times = self.create_publisher(Clock, CLOCK, self._qos)
        self._time_ns = -1
        self._audience: list[int] = []
        self._calm_polls = 0
        self._timeline = Timeline(self._options.rate)
        self._messages = self._read()
        self._next = next(self._messages, None)
        self._published = 0
        self._steady = NodeClock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(POLL_NS / 1e9, self._step, clock=self._steady)
        log.info('ready', bag=self._options.bag, topics=len(self._topics), rate=self._options.rate)

    def _offer(self, types: dict[str, str]) -> dict[str, Publisher]:
        bag, chosen = self._options.bag, self._options.topics
        for topic in chosen:
            if topic not in types:
                raise BagError(f'{bag}: no topic {topic!r}; {nearest(topic, types)}')
        publishers: dict[str, Publisher] = {}
        skipped: list[str] = []  # types
        for topic in chosen or sorted(types):
            if topic == CLOCK and self._options.clock:
                continue
            try:
                kind = message_class(types[topic])
            except MessageError:
                skipped.append(types[topic])
            else:
                publishers[topic] = self.create_publisher(kind, topic, self._qos)
        if not publishers:
            raise BagError(f'{bag}: no type of its topics is installed; source their workspace')
        if skipped:
            log.warning(
                'topics of types that are not installed are skipped',
                topics=len(skipped),
                types=', '.join(sorted(set(skipped))),
            )
        return publishers

    def _read(self) -> Iterator[RawMessage]:
        return iter(bags.read_messages(self._options.bag, list(self._topics)))

    def _step(self) -> None:
        if self._options.wait_for_subscribers and not self._is_heard():
            return
        for _ in range(BURST):
            if self._next is None:
                self._end()
                return
            now_ns = self._steady.now().nanoseconds
            if (wait_ns := self._timeline.wait_ns(self._next.receive_ns, now_ns)) > SLACK_NS:
                self._wake_in(wait_ns)
                return
            self._publish(self._next)
            self._next = next(self._messages, None)
        self._wake_in(0)

    def _is_heard(self) -> bool:
        """Whether somebody listens, and nobody has joined for some polls."""
        if self._calm_polls >= SETTLE_POLLS:
            return True
        publishers = [*self._topics.values(), self._times]
        audience = [publisher.get_subscription_count() for publisher in publishers]
        is_calm = any(audience[:-1]) and audience == self._audience
        self._calm_polls = self._calm_polls + 1 if is_calm else 0
        self._audience = audience
        return False

    def _wake_in(self, wait_ns: int) -> None:
        self._timer.timer_period_ns = wait_ns
        self._timer.reset()

    def _publish(self, message: RawMessage) -> None:
        if self._options.clock and message.receive_ns != self._time_ns:
            self._time_ns = message.receive_ns
            self._times.publish(Clock(clock=time_message(message.receive_ns)))
        self._topics[message.topic].publish(bytes(message.data))
        self._published += 1

    def _end(self) -> None:
        if self._options.loop and self._published:
            self._timeline.restart()
            self._messages = self._read()
            self._next = next(self._messages, None)
            self._wake_in(0)
            return
        log.info('finished', bag=self._options.bag, messages=self._published)
        self.exit_code = 0

    def leave(self) -> None:
        """Let the last messages reach their subscribers."""
        for publisher in self._topics.values():
            publisher.wait_for_all_acked(Duration(seconds=DELIVERY_S))


def main() -> None:
    """Play a recording as a process."""
    serve(Replay)


if __name__ == '__main__':
    main()
