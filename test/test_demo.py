"""The parts of `make demo` that the command line doesn't have: real nodes, watched live."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip('rclpy', reason='the demo needs ROS 2')
pytest.importorskip('taolora_ros.msg', reason='the messages are not built; run `make setup`')

from taolora_ros import artifact
from taolora_ros.bags import BagWriter, time_of
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.events import Truth
from taolora_ros.evaluation.offline import run_bag
from taolora_ros.samples import NS_PER_S, Recording

TOOLS = Path(__file__).parent.parent / 'tools'
CHANNELS = ('/rotor:vector.x', '/rotor:vector.y', '/rotor:vector.z', '/still:temperature')
START_NS = 1_700_000_000 * NS_PER_S
STRUCK_S = (8.0, 8.3)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('demo')


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('demo_graph')


@pytest.fixture
def struck_bag(tmp_path: Path, make_rotor: Callable[[float, int], Recording]) -> Path:
    path = tmp_path / 'struck'
    with BagWriter(path) as writer:
        for number, (x, y, load, still) in enumerate(make_rotor(12.0, 9).values):
            stamp_ns = START_NS + number * (NS_PER_S // 100)
            acts = STRUCK_S[0] <= number / 100 < STRUCK_S[1]
            kick = 40.0 * (-1) ** number if acts else 0.0
            header = {'stamp': time_of(stamp_ns), 'frame_id': 'rotor'}
            vector = {'x': x + kick, 'y': y - kick, 'z': load}
            values = {'header': header, 'vector': vector}
            writer.write('/rotor', 'geometry_msgs/msg/Vector3Stamped', values, stamp_ns)
            if number % 50 == 0:
                values = {'header': header, 'temperature': still}
                writer.write('/still', 'sensor_msgs/msg/Temperature', values, stamp_ns)
    return path


def test_events_arrive_live_beside_their_fault_and_equal_those_of_a_file(
    demo: ModuleType,
    rotor_model: DetectorModel,
    struck_bag: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = dataclasses.replace(rotor_model, channels=CHANNELS)
    model_path = tmp_path / 'rotor.safetensors'
    artifact.save(model, model_path)
    onset_ns, end_ns = (START_NS + round(edge * NS_PER_S) for edge in STRUCK_S)
    truths = (Truth('strike', onset_ns, end_ns),)
    lines: list[str] = []
    shower = demo._shower(CHANNELS, truths, START_NS)

    def show(report: object) -> None:
        with demo.console.capture() as captured:
            shower(report)
        lines.append(captured.get())

    live = demo._watch(model_path, struck_bag, model, show, folder=tmp_path, rate=2.0)
    offline = run_bag(model, struck_bag).trace.detections
    assert [hit.onset_ns for hit in live] == [hit.onset_ns for hit in offline]
    assert [hit.end_ns for hit in live] == [hit.end_ns for hit in offline]
    assert any(re.search(r'strike of 8\.00 s', line) for line in lines)


def test_node_that_fails_is_quoted_in_one_line(graph: ModuleType, tmp_path: Path) -> None:
    with graph.private_domain(tmp_path), graph.Processes(tmp_path) as processes:
        replay = processes.start('replay', {'bag': tmp_path / 'none'})
        with pytest.raises(TaoloraError, match=r'replay node ended with status 1: .*no such bag'):
            replay.require_success()


def test_no_process_outlives_the_block_that_started_it(graph: ModuleType, tmp_path: Path) -> None:
    started = []

    def interrupted() -> None:
        with graph.private_domain(tmp_path), graph.Processes(tmp_path) as processes:
            started.append(processes.start('detector', {'autostart': False}))
            assert started[0].is_running
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not started[0].is_running


def test_domain_is_private_and_given_back(graph: ModuleType, tmp_path: Path) -> None:
    before = dict(os.environ)
    with graph.private_domain(tmp_path) as first:
        assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
        assert os.environ['ROS_DOMAIN_ID'] == str(first)
        with graph.private_domain(tmp_path) as second:
            assert second != first
    assert dict(os.environ) == before


def test_demo_that_cannot_run_says_so_in_one_line(tmp_path: Path) -> None:
    arguments = ['--folder', str(tmp_path / 'demo'), '--normal-s', '1']
    done = subprocess.run(
        [sys.executable, str(TOOLS / 'demo.py'), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('error: taolora simulate ended with status 2')
