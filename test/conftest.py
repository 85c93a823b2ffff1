"""Fixtures that several layers share: a small trained detector and the machine that it watches."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from taolora_ros.config import (
    Config,
    DetectionConfig,
    IngestConfig,
    ModelConfig,
    QuantizationConfig,
    TrainingConfig,
    WindowConfig,
)
from taolora_ros.engine import DetectorModel
from taolora_ros.hardware.probe import cuda_devices
from taolora_ros.samples import Recording
from taolora_ros.training.trainer import train

# Nodes under test talk on this machine alone; figures need no screen.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
# A process that is killed leaves its shared memory locked, and others that meet it spin for ever.
os.environ['FASTDDS_BUILTIN_TRANSPORTS'] = 'UDPv4'
os.environ['MPLBACKEND'] = 'Agg'
# Where there is no GPU, Triton's interpreter stands in for it; it looks when it is imported.
if not cuda_devices()[0]:
    os.environ['TRITON_INTERPRET'] = '1'

RATE_HZ = 100.0
CHANNELS = ('/rotor:x', '/rotor:y', '/rotor:load', '/rotor:constant')


def rotor(seconds: float, seed: int) -> Recording:
    """A rotor on springs: two coupled damped modes shaken by noise, a slow load, a constant.

    x'' = −ω² x − 2 ζ ω x' + noise, stepped at 100 Hz (semi-implicit Euler), ω = 2π · 5 Hz, 8 Hz.
    """
    generator = np.random.default_rng(seed)
    steps = round(seconds * RATE_HZ)
    omega = 2 * np.pi * np.array([5.0, 8.0])
    position, velocity = np.zeros(2), np.zeros(2)
    rows = np.empty((steps, 4))
    level = generator.normal(scale=3.0)  # the session's own load
    for step in range(steps):
        force = 400.0 * generator.normal(size=2) - 20.0 * (position - position[::-1])
        velocity += (force - omega**2 * position - 0.2 * omega * velocity) / RATE_HZ
        position = position + velocity / RATE_HZ
        rows[step] = [*position, level + 0.2 * generator.normal(), 7.0]
    rows[:, :2] += 0.02 * generator.normal(size=(steps, 2))
    stamps = np.arange(steps, dtype=np.int64) * round(1e9 / RATE_HZ)
    return Recording(f'rotor_{seed}', stamps, rows, np.zeros_like(rows))


@pytest.fixture(scope='session')
def make_rotor() -> Callable[[float, int], Recording]:
    return rotor


@pytest.fixture(scope='session')
def rotor_config() -> Config:
    return Config(
        channels=CHANNELS,
        ingest=IngestConfig(sample_rate_hz=RATE_HZ),
        window=WindowConfig(patch=4, length=128),
        model=ModelConfig(order=8, blocks=0),
        quantization=QuantizationConfig(rank=4),
        detection=DetectionConfig(warmup_s=2.0, false_alarms_per_hour=6.0),
        training=TrainingConfig(epochs=0),
    )


@pytest.fixture(scope='session')
def rotor_model(rotor_config: Config) -> DetectorModel:
    recordings = [rotor(60.0, seed) for seed in range(3)]
    return train(recordings, CHANNELS, rotor_config, progress=lambda stage, share: None)


@pytest.fixture
def dds_domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """A DDS domain that no other test on this machine uses meanwhile, set for child processes.

    It is taken by binding the port that ament's domain_coordinator uses for the same purpose.
    """
    for domain in range(1, 101):  # above 101, DDS's ports meet those of outgoing connections
        with socket.socket() as claim:
            try:
                claim.bind(('', 32768 + domain))
            except OSError:
                continue
            monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
            monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'ros_log'))
            yield domain
            return
    raise RuntimeError('every DDS domain is taken')
