"""The same bag gives the same events through the live nodes as through the pipeline alone."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rclpy.node import Node
from rclpy.time import Time
from taolora_ros.msg import AnomalyEvent, AnomalyScore

from taolora_ros import artifact
from taolora_ros.bags import bag_types, read_messages, read_recording, resolve_channels
from taolora_ros.config import Config, overlay, read_config
from taolora_ros.engine import DetectorModel
from taolora_ros.pipeline import Pipeline
from taolora_ros.samples import EventState, Hop, Phase
from taolora_ros.simulation.faults import FaultKind
from taolora_ros.simulation.recording import SimulationConfig
from taolora_ros.simulation.simulate import simulate
from taolora_ros.training.trainer import train

ROOT = Path(__file__).parents[2]
BAGS = ROOT.parent / 'shared/data/bags'
RATE = 3.0
WAIT_S = 60.0
# What runs matters here, not how well.
SMALL = {
    'model': {'blocks': 0, 'order': 6},
    'quantization': {'rank': 4},
    'training': {'epochs': 0},
}
ARM = {
    **SMALL,
    'channels': ['/joint_states:effort[*]', '/imu/data:linear_acceleration.z'],
    'detection': {'false_alarms_per_hour': 300.0},
}

Spin = Callable[[Callable[[], bool]], None]
Launch = Callable[..., subprocess.Popen[str]]


def _train(config: Config, bags: list[Path]) -> DetectorModel:
    channels = resolve_channels(bags[0], config.channels)
    recordings = [read_recording(bag, channels, config.ingest) for bag in bags]
    return train(recordings, channels, config, progress=lambda stage, share: None)


def _offline(model: DetectorModel, bag: Path) -> list[Hop]:
    pipeline = Pipeline(model, bag_types(bag))
    hops = [
        hop
        for message in read_messages(bag, pipeline.intake.topics)
        for hop in pipeline.push(message)
    ]
    return hops + pipeline.finish()


def _ignore(share: float) -> None:
    pass


def _ns(stamp: object) -> int:
    return int(Time.from_msg(stamp).nanoseconds)


@pytest.fixture
def compare(
    start: Launch, listen: Callable, spin_until: Spin, probe: Node, tmp_path: Path
) -> Callable[[DetectorModel, Path], None]:
    """Play a bag into a detector, both as processes, and compare with the pipeline alone."""

    def run(model: DetectorModel, bag: Path) -> None:
        path = tmp_path / 'model.safetensors'
        artifact.save(model, path)
        events = listen(AnomalyEvent, '/taolora/anomalies')
        scores = listen(AnomalyScore, '/taolora/scores')
        detector = start(
            'taolora_ros.nodes.detector',
            # However far the machine falls behind, no row is passed over.
            {'model': path, 'use_sim_time': True, 'queue': 10_000, 'intake.backlog_s': 600.0},
        )
        spin_until(lambda: probe.count_publishers('/taolora/scores') == 1)
        replay = start('taolora_ros.nodes.replay', {'bag': bag, 'rate': RATE, 'queue': 10_000})
        spin_until(lambda: replay.poll() is not None)
        assert replay.returncode == 0
        detector.send_signal(signal.SIGINT)
        spin_until(lambda: detector.poll() is not None)
        assert detector.returncode == 0

        hops = _offline(model, bag)
        expected = [hop.event for hop in hops if hop.event]
        onsets = [event.onset_ns for event in expected if event.state is EventState.END]
        ends = [event.end_ns for event in expected if event.state is EventState.END]
        assert onsets, 'the bag should hold an event'
        spin_until(lambda: sum(event.state == AnomalyEvent.END for event in events) >= len(ends))
        closed = [event for event in events if event.state == AnomalyEvent.END]
        hop_ns = round(model.config.hop_s * 1e9)
        assert [_ns(event.onset) for event in closed] == pytest.approx(onsets, abs=hop_ns)
        assert [_ns(event.end) for event in closed] == pytest.approx(ends, abs=hop_ns)
        told = {_ns(score.header.stamp): score.score for score in scores}
        known: dict[int, float] = {}
        for hop in hops:  # the one that closes an event repeats the stamps of the last
            if hop.phase is Phase.WATCHING:
                known.setdefault(hop.last_ns, hop.score)
        assert told == known  # bit for bit: the same code on the same rows

    return run


def test_of_real_sensor_data(compare: Callable[[DetectorModel, Path], None]) -> None:
    if not BAGS.is_dir():
        pytest.skip(f'the recordings are not at {BAGS}')
    config = overlay(read_config(ROOT / 'config/rosa.yaml'), SMALL)
    compare(_train(config, [BAGS / 'rosa_H102', BAGS / 'rosa_H106']), BAGS / 'rosa_N204')


def test_of_a_simulated_arm(
    compare: Callable[[DetectorModel, Path], None], tmp_path: Path
) -> None:
    config = overlay(read_config(ROOT / 'config/arm.yaml'), ARM)
    normal = [tmp_path / 'normal_1', tmp_path / 'normal_2']
    for seed, bag in enumerate(normal):
        simulate(bag, SimulationConfig(duration_s=30.0, count=0, seed=seed), progress=_ignore)
    one_hit = SimulationConfig(
        duration_s=25.0, count=1, kinds=(FaultKind.COLLISION,), strength=(1.0, 1.0), seed=2
    )
    simulate(tmp_path / 'faulty', one_hit, progress=_ignore)
    compare(_train(config, normal), tmp_path / 'faulty')
