"""What it costs to take messages in: the detector's intake beside a plain rclpy subscriber."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.speed.processes import Started, own_graph, started
from taolora_ros.evaluation.speed.targets import Target

DRAINED, PLAIN = 'drained', 'plain'  # as the module of the listeners calls them
_LISTENERS, _LOAD = 'taolora_ros.nodes.listeners', 'taolora_ros.nodes.load'
_US_PER_S = 1e6


@dataclass(frozen=True, kw_only=True)
class IngestPlan:
    """What is sent."""

    rate_hz: int = 5_000  # at which the two subscribers are compared
    rounds: int = 5  # of both, in turn
    seconds: float = 6.0  # of each
    stress_publishers: int = 3  # a topic each; one process of Python can't send as fast
    stress_publisher_hz: int = 5_000
    stress_seconds: float = 60.0
    queue: int = 10_000  # messages that a subscriber may be behind, on both sides


@dataclass(frozen=True, slots=True)
class Load:
    """Publishers, a topic each."""

    publishers: int
    rate_hz: int  # of each
    messages: int  # of each
    queue: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One subscriber, from the first message to the last."""

    kind: str
    rate_hz: float  # at which messages were really sent
    sent: int
    received: int  # different numbers
    repeated: int
    cpu_us: float  # CPU time of its process, all threads, a message received
    reader_us: float  # of that, what the thread takes that reads; the rest are those of DDS

    @property
    def lost(self) -> int:
        """Numbers that never came."""
        return self.sent - self.received


@dataclass(frozen=True, eq=False)
class IngestFindings:
    """CPU time by process clocks, and numbers that were counted."""

    compared: tuple[Heard, ...]  # in the order in which they ran
    stress: Heard  # our intake

    def of(self, kind: str) -> tuple[Heard, ...]:
        """The rounds of one subscriber."""
        return tuple(heard for heard in self.compared if heard.kind == kind)

    def cpu_us(self, kind: str) -> float:
        """CPU time a message, median over the rounds."""
        return float(np.median([heard.cpu_us for heard in self.of(kind)]))

    def reader_us(self, kind: str) -> float:
        """CPU time a message of the thread that reads, median over the rounds."""
        return float(np.median([heard.reader_us for heard in self.of(kind)]))

    def to_mapping(self) -> dict[str, Any]:
        """Figures of our intake, at both rates together where they are counts."""
        ours, plain = self.cpu_us(DRAINED), self.cpu_us(PLAIN)
        own = (*self.of(DRAINED), self.stress)
        return {
            'cpu_us_per_message': ours,
            'plain_rclpy_cpu_us_per_message': plain,
            'ratio_plain_rclpy': plain / ours,
            'reader_us_per_message': self.reader_us(DRAINED),
            'plain_rclpy_reader_us_per_message': self.reader_us(PLAIN),
            'ratio_plain_rclpy_reader': self.reader_us(PLAIN) / self.reader_us(DRAINED),
            'sent': sum(heard.sent for heard in own),
            'received': sum(heard.received for heard in own),
            'lost': sum(heard.lost for heard in own),
            'rate_hz': self.stress.rate_hz,
            'stress_cpu_us_per_message': self.stress.cpu_us,
            'plain_rclpy_sent': sum(heard.sent for heard in self.of(PLAIN)),
            'plain_rclpy_lost': sum(heard.lost for heard in self.of(PLAIN)),
            'by_run': [_row(heard) for heard in (*self.compared, self.stress)],
        }

    def targets(self) -> tuple[Target, ...]:
        """Cost, against the plain subscriber, and nothing lost at a rate that was reached."""
        figures = self.to_mapping()
        return (
            Target(
                'cpu_us_per_message',
                'CPU time an Imu at 5,000 a second, in µs',
                figures['cpu_us_per_message'],
                at_most=40.0,
            ),
            Target(
                'ratio_plain_rclpy',
                'the same, plain rclpy subscriber / ours',
                figures['ratio_plain_rclpy'],
                at_least=8.0,
            ),
            Target('lost', 'messages lost by our intake', float(figures['lost']), at_most=0.0),
            Target(
                'rate_hz',
                'messages a second that were sent to it under stress',
                figures['rate_hz'],
                at_least=14_850.0,  # 15,000 within 1 %
            ),
        )


def measure_ingest(
    plan: IngestPlan, folder: Path, *, progress: Callable[[float], None] = lambda share: None
) -> IngestFindings:
    """Send numbered messages over DDS, every publisher and subscriber a process of its own.

    The two subscribers take turns, and who begins does too. CPU time counts from the first
    messages on, so that start-up is left out.

    Args:
        plan: how many messages, how fast.
        folder: for the output of the processes.
        progress: told the share that is done, 0 to 1.

    Raises:
        TaoloraError: a process failed; quotes its last words.
    """
    compared: list[Heard] = []
    messages = round(plan.rate_hz * plan.seconds)
    total_s = 2 * plan.rounds * plan.seconds + plan.stress_seconds
    with own_graph(folder) as environment:
        for number in range(plan.rounds):
            for kind in (DRAINED, PLAIN) if number % 2 == 0 else (PLAIN, DRAINED):
                load = Load(1, plan.rate_hz, messages, plan.queue)
                compared.append(_listen(kind, load, folder, environment))
                progress(len(compared) * plan.seconds / total_s)
        messages = round(plan.stress_publisher_hz * plan.stress_seconds)
        load = Load(plan.stress_publishers, plan.stress_publisher_hz, messages, plan.queue)
        stress = _listen(DRAINED, load, folder, environment)
    progress(1.0)
    return IngestFindings(tuple(compared), stress)


def _listen(kind: str, load: Load, folder: Path, environment: Mapping[str, str]) -> Heard:
    """One subscriber and its publishers."""
    topics = [f'/imu{number}' for number in range(load.publishers)]
    with contextlib.ExitStack() as stack:

        def start(module: str, arguments: Sequence[object], name: str) -> Started:
            return stack.enter_context(
                started(module, arguments, name=name, folder=folder, environment=environment)
            )

        listener = start(_LISTENERS, [kind, load.messages, load.queue, *topics], kind)
        publishers = [
            start(_LOAD, [topic, load.rate_hz, load.messages, load.queue], topic.strip('/'))
            for topic in topics
        ]
        sent = [publisher.answer(beside=[listener]) for publisher in publishers]
        found = listener.answer()
    if not found['timed_messages']:
        raise TaoloraError('too few messages to time; publish for longer')
    return Heard(
        kind=kind,
        rate_hz=sum(each['sent'] / each['seconds'] for each in sent),
        sent=sum(each['sent'] for each in sent),
        received=found['received'],
        repeated=found['repeated'],
        cpu_us=found['cpu_s'] / found['timed_messages'] * _US_PER_S,
        reader_us=found['reader_s'] / found['timed_messages'] * _US_PER_S,
    )


def _row(heard: Heard) -> dict[str, Any]:
    return {
        'subscriber': heard.kind,
        'rate_hz': heard.rate_hz,
        'sent': heard.sent,
        'received': heard.received,
        'lost': heard.lost,
        'repeated': heard.repeated,
        'cpu_us': heard.cpu_us,
        'reader_us': heard.reader_us,
    }
