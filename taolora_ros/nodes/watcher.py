"""An active detector: topics to the session, its hops to the publishers, clips to the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from rclpy.lifecycle import LifecycleNode

from taolora_ros.errors import ConfigError, InputError, TaoloraError
from taolora_ros.nodes import health
from taolora_ros.nodes.hop_timer import Batch, HopSchedule
from taolora_ros.nodes.intake import TopicIntake
from taolora_ros.nodes.options import DetectorOptions
from taolora_ros.nodes.outlet import Outlet
from taolora_ros.nodes.session import Session
from taolora_ros.nodes.snapshots import SnapshotWriter
from taolora_ros.samples import NS_PER_S, Hop

T = TypeVar('T')
WRITTEN_S = 0.25  # how long the last snapshots may take to be written at the end
SPARE_SHARE = 0.5  # of the time until the next drain, beyond which the FP32 twin takes none
ANSWER_S = 5.0  # how long whoever asks for a snapshot waits until it is written


class Watcher:
    """Lives from activation to deactivation; every method is called from the executor's thread."""

    def __init__(
        self, node: LifecycleNode, session: Session, outlet: Outlet, options: DetectorOptions
    ) -> None:
        """Begin a session and subscribe.

        Args:
            node: owns the subscriptions.
            session: a configured detector.
            outlet: publishes what is found.
            options: how the node runs.
        """
        session.reset()
        self.session = session
        self._outlet = outlet
        self._drain_s = options.drain_s
        self._schedule = HopSchedule(poll_s=options.drain_s, queue=options.queue)
        self._is_simulated = bool(node.get_parameter('use_sim_time').value)
        self._losses = 0
        self._writer: SnapshotWriter | None = None
        if options.snapshots.directory:
            name = node.get_fully_qualified_name()
            self._writer = SnapshotWriter(options.snapshots, prefix=name)
        self.intake = TopicIntake(
            node,
            session.topics,
            depth=options.queue,
            is_simulated=self._is_simulated,
            options=options.intake,
        )

    def keep_up(self) -> int:
        """Take what arrives until the next hop is further off, and publish what it shows.

        What can wait is done then: a look for publishers, and the FP32 twin's work.

        Returns:
            How long to wait until the next time, in ns.
        """
        wait_ns = self._schedule.keep_up(self.drain)
        start_ns = time.perf_counter_ns()
        self.intake.follow()
        self.session.compare(round(SPARE_SHARE * wait_ns))
        return max(1, wait_ns - (time.perf_counter_ns() - start_ns))

    def drain(self) -> Batch:
        """Take what has arrived, and publish what it shows."""
        messages = self.intake.drain()
        self._publish(self.session.push(messages, overdue=self.intake.overdue))
        return self._batch()

    def _batch(self) -> Batch:
        """What the last drain brought; hops of simulated time can't be foreseen."""
        session = self.session
        completed_ns, session.completed_ns = session.completed_ns, None
        return Batch(
            hop_ns=round(session.config.hop_s * NS_PER_S),
            completed_ns=None if self._is_simulated else completed_ns,
            most=self.intake.most,
        )

    def _publish(self, hops: Iterable[Hop]) -> None:
        self._outlet.publish(hops, self.session.model.channels, uri_of=self._uri_of)
        if self._writer is not None and self.session.recorder is not None:
            for clip in self.session.recorder.take():
                self._writer.submit(clip)

    def _uri_of(self, event_id: int) -> str:
        if self._writer is None or self.session.recorder is None:
            return ''
        name = self.session.recorder.name_of(event_id)
        return self._writer.uri_of(name) if name else ''

    def reset(self) -> str:
        """Begin a new session: the open event ends, and counts begin at 0."""
        self._publish(self.session.finish())
        self.session.reset()
        return 'new session: warming up'

    def enable(self, is_on: bool) -> str:
        """Score, or only read and count."""
        self._publish(self.session.enable(is_on))
        return 'scoring' if is_on else 'not scoring; messages go on being read and counted'

    def rebase(self) -> str:
        """Warm up and re-base; counts, subscriptions and the numbers of events go on."""
        self._publish(self.session.rebase())
        return 're-basing: warming up'

    def snapshot(self) -> str:
        """Write what is remembered now; the path of the bag.

        Raises:
            TaoloraError: no directory is set, or the bag can't be written.
        """
        if self._writer is None or self.session.recorder is None:
            raise ConfigError('snapshots.directory: not set; set it and configure again')
        self.drain()
        ticket = self._writer.submit(self.session.recorder.current())
        self._drain_until(ticket.is_done, ANSWER_S)
        if not ticket.is_done.is_set():
            raise InputError(f'{ticket.path}: still being written after {ANSWER_S:g} s')
        if ticket.problem:
            raise InputError(f'{ticket.path}: not written: {ticket.problem}')
        return str(ticket.path)

    def swap(self, load: Callable[[], Session]) -> str:
        """Run another artifact from the next row on; the old one runs while it is loaded.

        Args:
            load: makes its session; called in a thread of its own.

        Raises:
            TaoloraError: it can't be loaded, or watches other channels; the old one goes on.
        """
        session = self._await(load)
        last = session.take_over(self.session)
        self._publish(last)
        self.session = session
        return 'new artifact: warming up'

    def _await(self, load: Callable[[], T]) -> T:
        results: list[T] = []
        errors: list[Exception] = []
        is_done = threading.Event()

        def work() -> None:
            try:
                results.append(load())
            except Exception as error:  # raised again in the executor's thread
                errors.append(error)
            is_done.set()

        threading.Thread(target=work, name='load', daemon=True).start()
        self._drain_until(is_done)
        if errors and isinstance(errors[0], TaoloraError):
            raise errors[0]
        if errors:
            raise InputError(f'{type(errors[0]).__name__}: {errors[0]}') from errors[0]
        return results[0]

    def _drain_until(self, is_done: threading.Event, timeout_s: float | None = None) -> None:
        """Keep up with the topics while another thread works."""
        waited_s = 0.0
        while not is_done.wait(self._drain_s) and (timeout_s is None or waited_s < timeout_s):
            waited_s += self._drain_s
            self.drain()

    def source(self) -> health.Source:
        """What subscriptions and snapshots have to say; recent is what is new since the last."""
        intake, counts = self.intake, self._writer.counts if self._writer else None
        before = self._losses
        self._losses = intake.lost + intake.oversized + self.session.counts.unreadable
        return health.Source(
            waiting=intake.waiting,
            lost=intake.lost,
            undated=intake.undated,
            oversized=intake.oversized,
            recent_losses=max(0, self._losses - before),
            faults=intake.faults,
            snapshots=counts,
            skipped=self.session.recorder.skipped if self.session.recorder else 0,
        )

    def close(self) -> None:
        """Close the open event, write the last snapshots, and unsubscribe."""
        self.drain()
        self._publish(self.session.finish())
        self.intake.close()
        if self._writer is not None:
            self._writer.close(WRITTEN_S)
