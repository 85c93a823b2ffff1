"""Fixtures of the node tests: a small machine as bags, a detector of it, and ROS on one domain."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the nodes need ROS 2')
pytest.importorskip('taolora_ros.msg', reason='the messages are not built; run `make setup`')

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from taolora_ros import artifact
from taolora_ros.bags import BagWriter, read_recording, time_of
from taolora_ros.config import Config, overlay
from taolora_ros.engine import DetectorModel
from taolora_ros.samples import NS_PER_S
from taolora_ros.training.trainer import train

CHANNELS = (
    '/rotor/imu:linear_acceleration.x',
    '/rotor/imu:linear_acceleration.y',
    '/rotor/joints:effort[shaft]',
)
START_NS = 1_700_000_000 * NS_PER_S
HIT_S = 6.0
WAIT_S = 40.0  # for what has to come; long, because the machines that test are busy

Spin = Callable[[Callable[[], bool]], None]
Launch = Callable[..., subprocess.Popen[str]]


def write_rotor(path: Path, *, seconds: float, seed: int, hit: bool = False) -> Path:
    """A shaken rotor, its IMU at 100 Hz and its motor at 50 Hz, as a bag; `hit` strikes it."""
    generator = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(round(seconds * 100)) / 100.0
    shake = np.stack([np.sin(5 * angle), np.cos(8 * angle)]) + 0.1 * generator.normal(
        size=(2, len(angle))
    )
    if hit:
        ringing = np.exp(-np.arange(30) / 6.0) * np.cos(2 * np.pi * np.arange(30) * 0.3)
        start = round(HIT_S * 100)
        shake[1, start : start + 30] += 8.0 * ringing
    with BagWriter(path) as bag:
        for step, (x, y) in enumerate(shake.T):
            stamp_ns = START_NS + step * NS_PER_S // 100
            header = {'stamp': time_of(stamp_ns)}
            imu = {'header': header, 'linear_acceleration': {'x': x, 'y': y}}
            receive_ns = stamp_ns + 1_000_000
            bag.write('/rotor/imu', 'sensor_msgs/msg/Imu', imu, receive_ns)
            if step % 2 == 0:
                effort = np.array([1.0 + 0.05 * generator.normal()])
                joints = {'header': header, 'name': ['shaft'], 'effort': effort}
                bag.write('/rotor/joints', 'sensor_msgs/msg/JointState', joints, receive_ns)
    return path


@pytest.fixture(scope='session')
def rotor_settings() -> Config:
    """Settings of the rotor's detector."""
    small = {
        'channels': list(CHANNELS),
        'model': {'order': 6, 'blocks': 0},
        'window': {'length': 64},
        'quantization': {'rank': 2},
        'detection': {'warmup_s': 1.0, 'false_alarms_per_hour': 6.0},
        'training': {'epochs': 0},
    }
    return overlay(Config(), small)


@pytest.fixture(scope='session')
def model(tmp_path_factory: pytest.TempPathFactory, rotor_settings: Config) -> DetectorModel:
    """A detector trained on normal rotors."""
    folder = tmp_path_factory.mktemp('normal')
    recordings = [
        read_recording(
            write_rotor(folder / f'rotor_{seed}', seconds=30.0, seed=seed),
            CHANNELS,
            rotor_settings.ingest,
        )
        for seed in range(2)
    ]
    return train(recordings, CHANNELS, rotor_settings, progress=lambda stage, share: None)


@pytest.fixture(scope='session')
def model_path(tmp_path_factory: pytest.TempPathFactory, model: DetectorModel) -> Path:
    """The artifact of that detector."""
    path = tmp_path_factory.mktemp('model') / 'rotor.safetensors'
    artifact.save(model, path)
    return path


@pytest.fixture(scope='session')
def hit_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a rotor that is struck at `HIT_S`."""
    return write_rotor(tmp_path_factory.mktemp('hit') / 'bag', seconds=10.0, seed=9, hit=True)


@pytest.fixture
def ros(dds_domain: int) -> Iterator[int]:
    """ROS in this process, on a domain of its own."""
    rclpy.init(args=[], domain_id=dds_domain)
    yield dds_domain
    rclpy.try_shutdown()


@pytest.fixture
def probe(ros: int) -> Iterator[Node]:
    """A node that looks at the others."""
    node = rclpy.create_node('probe')
    yield node
    node.destroy_node()


@pytest.fixture
def executor(ros: int) -> Iterator[SingleThreadedExecutor]:
    """Spins the nodes of this process."""
    executor = SingleThreadedExecutor()
    yield executor
    executor.shutdown()


@pytest.fixture
def output(tmp_path: Path) -> Callable[[], str]:
    """What the processes of this test have printed."""
    return lambda: ''.join(path.read_text() for path in sorted(tmp_path.glob('*.log')))


@pytest.fixture
def listen(probe: Node, executor: SingleThreadedExecutor) -> Callable[..., list]:
    """Messages of a topic, as they come."""
    executor.add_node(probe)

    def subscribe(kind: type, topic: str) -> list:
        heard: list = []
        probe.create_subscription(kind, topic, heard.append, 1000)
        return heard

    return subscribe


@pytest.fixture
def spin_until(executor: SingleThreadedExecutor) -> Spin:
    """Spin until something holds; fail when it does not come to hold."""

    def spin(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, 'waited in vain'
            executor.spin_once(timeout_sec=0.05)

    return spin


@pytest.fixture
def start(dds_domain: int, tmp_path: Path) -> Iterator[Launch]:
    """Start a node's module with parameters and remappings as a process, its output in a file."""
    processes: list[subprocess.Popen[str]] = []

    def launch(
        module: str, parameters: Mapping[str, object], *rules: str
    ) -> subprocess.Popen[str]:
        command = [sys.executable, '-m', module, '--ros-args']
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else value
            command += ['-p', f'{name}:={text}']
        for rule in rules:
            command += ['-r', rule]
        output = (tmp_path / f'{module.rpartition(".")[2]}_{len(processes)}.log').open('w')
        process = subprocess.Popen(
            command, text=True, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ)
        )
        output.close()
        processes.append(process)
        return process

    yield launch
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10.0)
