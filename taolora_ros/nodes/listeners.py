"""The two subscribers of `taolora bench ingest`, and what they cost.

Run one as `python -m taolora_ros.nodes.listeners drained 25000 10000 /imu0`; it ends once
so many messages of every topic have come, or nothing comes any more, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu

from taolora_ros.config import Config
from taolora_ros.ingest.intake import Intake
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.nodes.hop_timer import Batch, HopSchedule, again
from taolora_ros.nodes.intake import TopicIntake
from taolora_ros.nodes.load import NUMBER
from taolora_ros.nodes.options import DetectorOptions
from taolora_ros.nodes.process import serve
from taolora_ros.samples import NS_PER_S

FIELDS = ('angular_velocity.z', 'linear_acceleration.x', 'linear_acceleration.z')
_LOOK_S = 0.5  # between two looks at the clocks
_QUIET_LOOKS = 4  # without a message, after which nothing more will come


class Listener(Node):
    """Counts every number once, and notes the CPU time that passes while messages come."""

    def __init__(self, messages: int, topics: Sequence[str]) -> None:
        """Expect messages; a kind of listener subscribes.

        Args:
            messages: how many will be published on each topic.
            topics: where.
        """
        super().__init__('listener')
        self.exit_code: int | None = None
        self.received = 0
        self._expected = messages * len(topics)
        self._seen = {topic: bytearray(messages) for topic in topics}
        # Messages received; CPU time of all threads, and of this one, in s.
        self._looks: list[tuple[int, float, float]] = []
        self._quiet = 0
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_LOOK_S, self._look, clock=self._steady)

    def take(self, topic: str, number: float) -> None:
        """Count one message."""
        self._seen[topic][int(number)] = 1
        self.received += 1

    def _look(self) -> None:
        cpu_s, reader_s = time.process_time(), time.thread_time()
        if not self.received:
            return
        if not self._looks or self.received > self._looks[-1][0]:
            self._looks.append((self.received, cpu_s, reader_s))
            self._quiet = 0
        else:
            self._quiet += 1
        if self.received >= self._expected or self._quiet >= _QUIET_LOOKS:
            self.exit_code = 0

    def leave(self) -> None:
        """Say what was found, with the CPU time from the first look to the last."""
        if not self._looks:
            return
        distinct = sum(sum(seen) for seen in self._seen.values())
        first, last = self._looks[0], self._looks[-1]
        found = {
            'received': distinct,
            'repeated': self.received - distinct,
            'timed_messages': last[0] - first[0],
            'cpu_s': last[1] - first[1],
            'reader_s': last[2] - first[2],
        }
        print(json.dumps(found), flush=True)


class Drained(Listener):
    """The detector's way: serialized messages drained on a timer, fields read from the bytes."""

    def __init__(self, messages: int, queue: int, topics: Sequence[str]) -> None:
        super().__init__(messages, topics)
        self._topics = TopicIntake(self, topics, depth=queue, is_simulated=False)
        self._config = Config()
        channels = [f'{topic}:{field}' for topic in topics for field in FIELDS]
        self._intake = Intake(channels, self._config.ingest, TypeRegistry())
        self._rows = 0
        poll_s = DetectorOptions().drain_s
        self._schedule = HopSchedule(poll_s=poll_s, queue=queue)
        self._draining = self.create_timer(poll_s, self._keep_up, clock=self._steady)

    def _keep_up(self) -> None:
        wait_ns = self._schedule.keep_up(self._drain)
        self._topics.follow()
        again(self._draining, wait_ns)

    def _drain(self) -> Batch:
        config, completed_ns = self._config, None
        messages = self._topics.drain()
        for message in messages:
            rows = len(self._intake.push(message))
            self._rows += rows
            if rows and self._rows % config.window.patch < rows:
                completed_ns = message.receive_ns
        octets = b''.join([message.data[-NUMBER.size :] for message in messages])
        for message, (number,) in zip(messages, NUMBER.iter_unpack(octets), strict=True):
            self._seen[message.topic][int(number)] = 1
        self.received += len(messages)
        return Batch(round(config.hop_s * NS_PER_S), completed_ns, self._topics.most)


class Plain(Listener):
    """The usual way: a callback a message, which comes as an object of its type."""

    def __init__(self, messages: int, queue: int, topics: Sequence[str]) -> None:
        super().__init__(messages, topics)
        qos = QoSProfile(depth=queue, reliability=ReliabilityPolicy.RELIABLE)
        self._values = (0.0, 0.0, 0.0)
        for topic in topics:
            self.create_subscription(Imu, topic, partial(self._hear, topic), qos)

    def _hear(self, topic: str, message: Imu) -> None:
        self._values = (
            message.angular_velocity.z,
            message.linear_acceleration.x,
            message.linear_acceleration.z,
        )
        self.take(topic, message.linear_acceleration_covariance[8])


KINDS = {'drained': Drained, 'plain': Plain}


def main() -> None:
    """Listen as a process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('kind', choices=KINDS)
    parser.add_argument('messages', type=int)
    parser.add_argument('queue', type=int)
    parser.add_argument('topics', nargs='+')
    options = parser.parse_args()
    kind = KINDS[options.kind]
    serve(lambda: kind(options.messages, options.queue, options.topics), args=[])


if __name__ == '__main__':
    main()
