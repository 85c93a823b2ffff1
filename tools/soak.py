"""Load with faults for as long as it takes: python tools/soak.py --seconds 1200.

A detector runs as a process of its own and hears 1,000 messages a second over 8 topics. Strikes
that it has to find alternate with faults that it has to survive: bursts of NaN, a topic that falls
silent, truncated and oversized messages, stamps of 0. Then a second detector goes through its
lifecycle over and over. The table says what came of it; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from taolora_ros import artifact
from taolora_ros.config import Config, overlay
from taolora_ros.monitoring import resident_mb
from taolora_ros.samples import NS_PER_S, Recording
from taolora_ros.training.trainer import train

TOPICS = tuple(f'/soak/sensor_{number}' for number in range(8))
RATE_HZ = 125.0  # of each topic
PERIOD_S = 5.0  # from a strike to the next fault, and from that to the next strike
FAULTS = ('nan', 'silence', 'truncated', 'oversized', 'zero stamp')
SETTLED = 0.2  # share of the run, at least 20 s, after which memory may not grow
MAX_GROWTH = 0.02
SETTINGS: dict[str, Any] = {
    'channels': [f'{topic}:temperature' for topic in TOPICS],
    'ingest': {'sample_rate_hz': RATE_HZ},
    'model': {'order': 6, 'blocks': 0},
    'window': {'length': 64},
    'quantization': {'rank': 2},
    'detection': {'warmup_s': 2.0, 'false_alarms_per_hour': 0.1, 'merge_s': 0.5},
    'preservation': {'pre_s': 1.0, 'post_s': 1.0},
    'training': {'epochs': 0},
}


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    name: str
    value: str
    is_met: bool


def normal(step: int, noise: Any) -> Any:
    """What the 8 sensors read at a step: a machine's cycles, each sensor with its own phase."""
    angle = 2 * np.pi * step / RATE_HZ
    phases = np.arange(len(TOPICS))
    return np.sin(3 * angle + phases) + 0.5 * np.cos(7 * angle + 2 * phases) + 0.1 * noise


def train_model(path: Path) -> None:
    """An artifact that knows two minutes of the normal machine."""
    generator = np.random.default_rng(1)
    recordings = []
    for name in ('one', 'two'):
        steps = range(round(60 * RATE_HZ))
        rows = np.stack([normal(step, generator.normal(size=len(TOPICS))) for step in steps])
        stamps = np.arange(len(rows), dtype=np.int64) * round(NS_PER_S / RATE_HZ)
        recordings.append(Recording(name, stamps, rows, np.zeros_like(rows)))
    config = overlay(Config(), SETTINGS)
    channels = tuple(SETTINGS['channels'])
    artifact.save(train(recordings, channels, config, progress=lambda stage, share: None), path)


class Machine:
    """Publishes the sensors, strikes and faults, and hears what the detector says."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import Temperature
        from taolora_ros.msg import AnomalyEvent

        rclpy.init(args=[])
        self._rclpy, self._kind = rclpy, Temperature
        self.node = rclpy.create_node('soak')
        qos = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
        self.publishers = [self.node.create_publisher(Temperature, topic, qos) for topic in TOPICS]
        self.onsets: dict[int, int] = {}
        self.values: dict[str, str] = {}
        self.levels: set[bytes] = set()
        self.strikes: list[int] = []
        self.faults: list[int] = []
        self.sent = 0
        self.node.create_subscription(AnomalyEvent, '/taolora/anomalies', self._note, 1000)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._read, 100)
        self._generator = np.random.default_rng(2)

    def _note(self, event: Any) -> None:
        self.onsets[event.id] = event.onset.sec * NS_PER_S + event.onset.nanosec

    def _read(self, array: Any) -> None:
        for status in array.status:
            if status.name.endswith((': input', ': snapshots', ': speed')):
                self.values |= {pair.key: pair.value for pair in status.values}

    def spin_for(self, seconds: float) -> None:
        """Hear what comes meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._rclpy.spin_once(self.node, timeout_sec=left)

    def run(self, seconds: float, process: subprocess.Popen[bytes]) -> list[float]:
        """Publish for so long; resident memory of the detector in MB, once a second."""
        memory: list[float] = []
        faults = itertools.cycle(FAULTS)
        start, cycle = time.monotonic(), round(PERIOD_S * RATE_HZ)
        fault = ''
        for step in range(round(seconds * RATE_HZ)):
            if process.poll() is not None:
                raise SystemExit(f'error: the detector died with status {process.returncode}')
            turn, age = divmod(step, cycle)
            is_strike = turn > 1 and turn % 2 == 0
            if age == 0:
                fault = '' if is_strike or turn < 2 else next(faults)
                if is_strike or fault:
                    (self.strikes if is_strike else self.faults).append(time.time_ns())
            self._publish(step, age, is_strike=is_strike, fault=fault)
            if step % round(RATE_HZ) == 0:
                memory.append(resident_mb(Path(f'/proc/{process.pid}/status')))
            self.spin_for(max(0.0, start + (step + 1) / RATE_HZ - time.monotonic()))
        return memory

    def _publish(self, step: int, age: int, *, is_strike: bool, fault: str) -> None:
        readings = normal(step, self._generator.normal(size=len(TOPICS)))
        if is_strike and age < 40:
            readings[1:4] += 6.0 * math.exp(-age / 10.0) * math.cos(age * 1.9)
        stamp = self.node.get_clock().now().to_msg()
        for number, publisher in enumerate(self.publishers):
            message = self._kind(temperature=float(readings[number]))
            message.header.stamp = stamp
            is_faulty = number == 5 and age < 40 and bool(fault)
            if is_faulty and fault == 'silence':
                continue
            if is_faulty and fault == 'nan':
                message.temperature = math.nan
            elif is_faulty and fault == 'zero stamp' and age == 0:
                message.header.stamp.sec = message.header.stamp.nanosec = 0
            elif is_faulty and fault == 'oversized' and age == 0:
                message.header.frame_id = 'x' * 200_000
            if is_faulty and fault == 'truncated' and age == 0:
                publisher.publish(b'\x00\x01\x00\x00\x01\x02\x03\x04')
            else:
                publisher.publish(message)
            self.sent += 1


def start_detector(model: Path, folder: Path) -> subprocess.Popen[bytes]:
    """The detector as a process of its own."""
    parameters = {
        'model': model,
        'status_s': 0.5,
        'intake.max_message_mb': 0.1,
        'snapshots.directory': folder / 'snapshots',
        'snapshots.max_disk_mb': 5.0,
        'snapshots.cooldown_s': 0.0,
    }
    command = [sys.executable, '-m', 'taolora_ros.nodes.detector', '--ros-args']
    command += ['--log-level', 'error']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    return subprocess.Popen(command, env=os.environ)


def load(seconds: float, model: Path, folder: Path) -> list[Check]:
    """Soak one detector."""
    machine = Machine()
    process = start_detector(model, folder)
    try:
        deadline = time.monotonic() + 60.0
        while not all(publisher.get_subscription_count() for publisher in machine.publishers):
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit('error: the detector does not subscribe')
            machine.spin_for(0.1)
        memory = machine.run(seconds, process)
        machine.spin_for(4.0)  # the last event ends, the last snapshot is written
        stop = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = process.wait(10.0)
        exit_s = time.monotonic() - stop
    finally:
        process.kill()
    return [*judge(machine, memory), Check('exit', f'{exit_s:.2f} s', status == 0 and exit_s < 1)]


def judge(machine: Machine, memory: list[float]) -> list[Check]:
    """What came of the load."""
    count = {name: int(machine.values.get(name, 0)) for name in COUNTED}
    accounted = count['received'] + count['lost'] + count['oversized']
    found = [
        any(abs(onset - strike) < NS_PER_S // 2 for onset in machine.onsets.values())
        for strike in machine.strikes
    ]
    first = machine.strikes[0] if machine.strikes else 0
    late = [
        (t - first) / NS_PER_S for t, hit in zip(machine.strikes, found, strict=True) if not hit
    ]
    missed = f', missed {late[0]:.0f} s after the first' if late else ''
    unexplained = sum(
        all(abs(onset - known) >= 2 * NS_PER_S for known in machine.strikes + machine.faults)
        for onset in machine.onsets.values()
    )
    settled = memory[max(20, round(SETTLED * len(memory))) :]
    part = max(1, len(settled) // 5)
    growth = median(settled[-part:]) / median(settled[:part]) - 1 if settled else math.nan
    return [
        Check('messages sent', str(machine.sent), machine.sent > 0),
        Check('accounted for', str(accounted), accounted == machine.sent),
        *(Check(f'  {name}', str(count[name]), True) for name in COUNTED),
        Check('lost', str(count['lost']), count['lost'] == 0),
        Check(
            'strikes found', f'{sum(found)} of {len(found)}{missed}', all(found) and bool(found)
        ),
        Check('faults injected', str(len(machine.faults)), True),
        Check('events at neither', str(unexplained), True),
        Check('snapshots written', str(count['written']), count['failed'] == 0),
        Check('memory', f'{memory[-1]:.1f} MB, growth {growth:.2%}', growth < MAX_GROWTH),
    ]


COUNTED = (
    'received', 'lost', 'oversized', 'unreadable', 'non_finite', 'zero_stamps', 'rows dropped',
    'written', 'failed', 'removed',
)  # fmt: skip


def cycles(count: int, model: Path) -> list[Check]:
    """Take a detector through its lifecycle so many times, in this process."""
    import rclpy

    from taolora_ros.nodes.detector import Detector

    rclpy.try_shutdown()
    rclpy.init(args=['--ros-args', '-p', f'model:={model}', '--log-level', 'error'])
    detector = Detector()
    detector.start()

    def held() -> tuple[int, ...]:
        owned = (detector.subscriptions, detector.publishers, detector.timers, detector.services)
        files = len(list(Path('/proc/self/fd').iterdir()))
        return (*(len(list(entities)) for entities in owned), threading.active_count(), files)

    before, memory = held(), resident_mb()
    for number in range(count):
        if number == count // 5:
            before, memory = held(), resident_mb()
        detector.trigger_deactivate()
        detector.trigger_cleanup()
        detector.trigger_configure()
        detector.trigger_activate()
    after, growth = held(), resident_mb() / memory - 1
    detector.trigger_shutdown()
    detector.destroy_node()
    rclpy.try_shutdown()
    return [
        Check('lifecycle cycles', str(count), True),
        Check('entities, threads, files', f'{before} → {after}', after == before),
        Check('memory over cycles', f'growth {growth:.2%}', growth < MAX_GROWTH),
    ]


def main() -> None:
    """Soak, print the table, and fail if anything did."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').partition('\n')[0])
    parser.add_argument('--seconds', type=float, default=1200.0, help='how long the load lasts')
    parser.add_argument('--cycles', type=int, default=1000, help='turns of the lifecycle')
    options = parser.parse_args()
    os.environ.setdefault('ROS_DOMAIN_ID', '97')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / 'soak.safetensors'
        train_model(model)
        checks = [*load(options.seconds, model, folder), *cycles(options.cycles, model)]
    for check in checks:
        print(f'{check.name:<26} {check.value:<44} {"ok" if check.is_met else "FAILED"}')
    sys.exit(not all(check.is_met for check in checks))


if __name__ == '__main__':
    main()
