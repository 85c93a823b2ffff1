"""The demo's side of the ROS 2 graph: node processes, and a listener to the detector's events."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from taolora_ros.msg import AnomalyEvent

from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.events import Detection
from taolora_ros.samples import NS_PER_S

TOPIC = '/taolora/anomalies'
DOMAINS = range(1, 101)  # above 101, DDS's ports meet those of outgoing connections
SETTLE_S = 1.0  # for messages that are on their way when a node has left


@contextlib.contextmanager
def private_domain(folder: Path) -> Iterator[int]:
    """A DDS domain that nobody else uses meanwhile, on this machine alone; logs go to the folder.

    It is taken by binding the port that ament's domain_coordinator uses for the same purpose.

    Raises:
        TaoloraError: every domain is taken.
    """
    with contextlib.ExitStack() as stack:
        domain = next((n for n in DOMAINS if _claim(n, stack)), None)
        if domain is None:
            raise TaoloraError('every DDS domain is taken; end other tests or demos first')
        changes = {
            'ROS_DOMAIN_ID': str(domain),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_LOG_DIR': str(folder / 'ros_log'),
        }
        before = {name: os.environ.get(name) for name in changes}
        os.environ.update(changes)
        try:
            yield domain
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _claim(domain: int, stack: contextlib.ExitStack) -> bool:
    claim = stack.enter_context(socket.socket())
    try:
        claim.bind(('', 32768 + domain))
    except OSError:
        return False
    return True


class NodeProcess:
    """A node that runs in a process of its own, its output in a file."""

    def __init__(self, name: str, parameters: Mapping[str, object], log: Path) -> None:
        self.name, self._log = name, log
        words = [f'{key}:={_as_parameter(value)}' for key, value in parameters.items()]
        command = [sys.executable, '-m', f'taolora_ros.nodes.{name}', '--ros-args']
        for word in words:
            command += ['-p', word]
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def interrupt(self) -> None:
        """Ask the node to leave in order."""
        if self.is_running:
            self._process.send_signal(signal.SIGINT)

    def require_success(self) -> None:
        """Raise if the node ended badly; the message quotes its last line."""
        if status := self._process.wait():
            raise TaoloraError(
                f'the {self.name} node ended with status {status}: {self._last_line()}; '
                f'its output is in {self._log}'
            )

    def end(self) -> None:
        """Make sure that nothing of it is left, its children included."""
        self.interrupt()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _last_line(self) -> str:
        lines = self._log.read_text(encoding='utf-8', errors='replace').split('\n')
        return next((line.strip() for line in reversed(lines) if line.strip()), 'it said nothing')


def _as_parameter(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Processes:
    """Starts nodes, and ends all of them when the block is left, however that happens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[NodeProcess] = []

    def __enter__(self) -> Processes:
        return self

    def start(self, name: str, parameters: Mapping[str, object]) -> NodeProcess:
        """Start `taolora_ros.nodes.<name>` with ROS parameters."""
        process = NodeProcess(name, parameters, self._folder / f'{name}.log')
        self._started.append(process)
        return process

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._started):
            process.end()


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """One message of the detector."""

    is_onset: bool
    detection: Detection


class Listener:
    """Collects what the detector publishes on `/taolora/anomalies`.

    Args:
        channels: C names; contributions are put into their order.
        period_ns: of the model's grid.
        show: called with each message as it arrives.
    """

    def __init__(
        self, channels: Sequence[str], period_ns: int, show: Callable[[Report], None]
    ) -> None:
        self._columns = {name: column for column, name in enumerate(channels)}
        self._period_ns, self._show = period_ns, show
        self._detections: dict[int, Detection] = {}

    def __enter__(self) -> Listener:
        rclpy.init(args=[], signal_handler_options=rclpy.SignalHandlerOptions.NO)
        self._node = rclpy.create_node('taolora_demo')
        everything = QoSProfile(
            history=HistoryPolicy.KEEP_ALL, depth=1000, reliability=ReliabilityPolicy.RELIABLE
        )
        self._node.create_subscription(AnomalyEvent, TOPIC, self._take, everything)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._node.destroy_node()
        rclpy.try_shutdown()

    @property
    def detections(self) -> tuple[Detection, ...]:
        """All events, each as last reported."""
        return tuple(self._detections.values())

    def wait_for_publisher(self, process: NodeProcess, timeout_s: float) -> None:
        """Listen until the detector is there to be heard.

        Raises:
            TaoloraError: it ended, or did not show up in time.
        """
        until = time.monotonic() + timeout_s
        while not self._node.count_publishers(TOPIC):
            if not process.is_running:
                process.require_success()
                raise TaoloraError(f'the {process.name} node left before it was asked to')
            if time.monotonic() > until:
                raise TaoloraError(f'no publisher of {TOPIC} after {timeout_s:g} s')
            self._executor.spin_once(timeout_sec=0.1)

    def listen_until_exit(
        self,
        process: NodeProcess,
        *,
        while_runs: NodeProcess | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Listen until a node has left and its last messages are in.

        Raises:
            TaoloraError: the other node left before, or this one did not leave in time.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while process.is_running:
            self._executor.spin_once(timeout_sec=0.1)
            if while_runs and not while_runs.is_running:
                while_runs.require_success()
                raise TaoloraError(f'the {while_runs.name} node left before it was asked to')
            if until and time.monotonic() > until:
                raise TaoloraError(f'the {process.name} node did not leave in {timeout_s:g} s')
        until = time.monotonic() + SETTLE_S
        while (rest := until - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=rest)

    def _take(self, message: AnomalyEvent) -> None:
        known = self._detections.get(message.id)
        end_ns = _nanoseconds(message.end)
        contributions = np.zeros(len(self._columns))
        for name, share in zip(message.channels, message.contributions, strict=True):
            contributions[self._columns[name]] = share
        detection = Detection(
            id=message.id,
            onset_ns=_nanoseconds(message.onset),
            peak_ns=_nanoseconds(message.peak),
            end_ns=end_ns,
            raised_ns=known.raised_ns if known else end_ns + self._period_ns,
            severity=message.severity,
            peak_score=message.peak_score,
            p_value=message.p_value,
            fp16_share=message.fp16_share,
            contributions=contributions,
        )
        self._detections[message.id] = detection
        self._show(Report(known is None, detection))


def _nanoseconds(stamp: Time) -> int:
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
