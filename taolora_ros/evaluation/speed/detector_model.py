"""A detector around the workload's network, and a bag of what it watches, for its memory.

Its calibration is that of a linear skip on the same signal: sizes and types are those of a trained
detector, scores mean nothing.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from taolora_ros.bags import BagWriter, time_of
from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.speed.workload import signal
from taolora_ros.model.network import NetworkWeights
from taolora_ros.samples import NS_PER_S, Floats, Recording
from taolora_ros.training.trainer import train

_TOPIC, _TYPE = '/machine', 'sensor_msgs/msg/JointState'
_START_NS = 1_700_000_000 * NS_PER_S
_NORMAL_S = 20.0  # of each of the two recordings that it is calibrated on


def make_detector(network: NetworkWeights, *, seed: int = 0) -> DetectorModel:
    """A detector that runs this network on as many channels as it has inputs."""
    config = dataclasses.replace(network.config, channels=_channels(network.inputs))
    rng = np.random.default_rng(seed)
    recordings = [
        _recording(f'normal{number}', signal(rng, _rows(config), network.inputs).astype(float))
        for number in range(2)
    ]
    model = train(recordings, config.channels, config, progress=lambda stage, share: None)
    own = dataclasses.replace(network, config=config)
    return dataclasses.replace(model, watch=dataclasses.replace(model.watch, network=own))


def write_bag(path: Path, config: Config, *, length_s: float, seed: int = 1) -> None:
    """A recording of all channels in one topic, a message a grid row."""
    rate = config.ingest.sample_rate_hz
    inputs = len(config.channels)
    names = [f'c{index}' for index in range(inputs)]
    rows = signal(np.random.default_rng(seed), round(length_s * rate), inputs).astype(float)
    with BagWriter(path) as writer:
        for number, row in enumerate(rows):
            stamp_ns = _START_NS + round(number * NS_PER_S / rate)
            message = {'header': {'stamp': time_of(stamp_ns)}, 'name': names, 'effort': row}
            writer.write(_TOPIC, _TYPE, message, stamp_ns)


def _channels(inputs: int) -> tuple[str, ...]:
    return tuple(f'{_TOPIC}:effort[c{index}]' for index in range(inputs))


def _rows(config: Config) -> int:
    return round(_NORMAL_S * config.ingest.sample_rate_hz)


def _recording(name: str, values: Floats) -> Recording:
    stamps = np.arange(values.shape[0], dtype=np.int64) * (NS_PER_S // 100)
    return Recording(name, stamps, values, np.zeros_like(values))
