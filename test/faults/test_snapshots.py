"""Recordings of events, and the disk that fails them."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from std_srvs.srv import Trigger
from taolora_ros.msg import AnomalyEvent

from taolora_ros.bags import read_messages
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.offline import run_bag
from taolora_ros.nodes import snapshots
from taolora_ros.nodes.snapshots import WAITING
from taolora_ros.preservation.clips import Clip
from taolora_ros.samples import NS_PER_S


def _path(event: AnomalyEvent) -> Path:
    assert event.snapshot_uri.startswith('file:///')
    return Path(event.snapshot_uri.removeprefix('file://'))


def test_an_event_is_recorded_from_before_its_onset_to_after_its_end(
    rig: Any, model: DetectorModel, model_path: Path, tmp_path: Path
) -> None:
    rig.detect(
        {
            'model': model_path,
            'snapshots.directory': tmp_path,
            'preservation.pre_s': 4.0,
            'preservation.post_s': 1.0,
        }
    )
    rig.play(6.0)
    rig.find()
    rig.play(2.0)
    paths = {_path(event) for event in rig.events}
    assert len(paths) == 1
    (path,) = paths
    rig.spin_until(path.exists)
    rig.await_report('snapshots', '1 written')
    end = next(event for event in rig.events if event.state == AnomalyEvent.END)
    onset_ns = end.onset.sec * NS_PER_S + end.onset.nanosec
    end_ns = end.end.sec * NS_PER_S + end.end.nanosec
    received = [message.receive_ns for message in read_messages(path)]
    assert onset_ns - 5 * NS_PER_S < received[0] <= onset_ns - 4 * NS_PER_S
    assert end_ns + 0.9 * NS_PER_S < received[-1] < end_ns + 1.5 * NS_PER_S
    # 100 and 50 messages a second, none missing.
    assert len(received) == pytest.approx((received[-1] - received[0]) / NS_PER_S * 150, abs=4)
    found = run_bag(model, path).trace.detections
    assert any(abs(event.onset_ns - onset_ns) <= 2 * model.config.hop_s * 1e9 for event in found)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB with 4 kB left."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip('mounting a small tmpfs needs root')
    mount = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(folder)],
        capture_output=True,
        text=True,
    )
    if mount.returncode:
        pytest.skip(f'no tmpfs can be mounted here: {mount.stderr.strip()}')
    (folder / 'ballast').write_bytes(bytes(56 * 1024))
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def test_a_full_disk_is_named_the_events_go_on_and_room_heals_it(
    rig: Any, model_path: Path, full_disk: Path
) -> None:
    rig.detect(
        {
            'model': model_path,
            'snapshots.directory': full_disk,
            'snapshots.cooldown_s': 0.0,
            'preservation.pre_s': 0.2,
            'preservation.post_s': 0.2,
        }
    )
    rig.play(5.0)
    rig.find()
    rig.await_report('snapshots', 'No space left on device')
    assert rig.told('snapshots')[0] == DiagnosticStatus.ERROR
    assert rig.told('detector')[0] == DiagnosticStatus.OK
    assert [path.name for path in full_disk.iterdir() if path.name[0] != '.'] == ['ballast']
    (full_disk / 'ballast').unlink()
    subprocess.run(['mount', '-o', 'remount,size=16m', str(full_disk)], check=True)
    rig.find()
    rig.await_report('snapshots', '1 written')
    assert rig.told('snapshots')[0] == DiagnosticStatus.OK
    assert rig.value('snapshots', 'failed') == '1'


SCRIPT = Path(__file__).with_name('hung_disk.py')
HANGS_AFTER_S = 0.2  # in place of seconds, so that the test need not wait for them


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """Where a disk that hangs waits; it answers for good once `answer` has been called."""
    path = tmp_path / 'gate'
    os.mkfifo(path)
    yield path
    answer(path)


def answer(gate: Path) -> None:
    """Let whoever waits at the gate pass, now and later; the descriptor stays open."""
    os.open(gate, os.O_RDONLY | os.O_NONBLOCK)


@pytest.fixture
def hung_disk(gate: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The disk of a detector in this process; call it to let it answer."""
    spec = importlib.util.spec_from_file_location('hung_disk', SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(snapshots, 'BagWriter', module.hang(gate))
    monkeypatch.setattr(snapshots, 'LATE_S', HANGS_AFTER_S)
    return lambda: answer(gate)


def brief(model_path: Path, folder: Path) -> dict[str, object]:
    """Parameters for a bag of each event, as soon as it has ended."""
    return {
        'model': model_path,
        'snapshots.directory': folder,
        'snapshots.cooldown_s': 0.0,
        'preservation.pre_s': 0.2,
        'preservation.post_s': 0.2,
    }


def test_a_disk_that_hangs_is_named_and_holds_up_neither_events_nor_memory(
    rig: Any, model_path: Path, tmp_path: Path, hung_disk: Callable[[], None]
) -> None:
    rig.detect(brief(model_path, tmp_path / 'bags'))
    rig.play(5.0)
    rig.find()
    rig.await_report('snapshots', f'not written: the disk hangs: {tmp_path / "bags"}')
    assert rig.told('snapshots')[0] == DiagnosticStatus.ERROR
    assert rig.told('detector') == (DiagnosticStatus.OK, 'watching')
    assert (rig.value('snapshots', 'late'), rig.value('snapshots', 'written')) == ('1', '0')
    for _ in range(WAITING + 2):
        rig.find()
    rig.play(1.0)
    assert rig.events[0].snapshot_uri != ''
    assert {event.snapshot_uri for event in rig.events if event.id > 1} == {''}
    rig.spin_until(lambda: rig.value('snapshots', 'failed') == '2')
    assert rig.value('snapshots', 'waiting') == str(WAITING)
    gc.collect()
    assert sum(type(each) is Clip for each in gc.get_objects()) <= WAITING + 1
    refused = rig.call(Trigger, 'snapshot', Trigger.Request())
    assert not refused.success
    assert refused.message.endswith(f'the disk is too slow: {WAITING} snapshots wait for it')
    rig.spin_until(lambda: rig.value('input', 'received') == str(rig.sent))
    assert rig.value('input', 'lost') == rig.value('speed', 'rows dropped') == '0'
    hung_disk()
    rig.await_report('snapshots', f'{WAITING + 1} written')
    assert rig.told('snapshots')[0] == DiagnosticStatus.OK
    assert len([path for path in (tmp_path / 'bags').iterdir() if path.name[0] != '.']) == 5


@pytest.fixture
def detector(
    rig: Any, model_path: Path, tmp_path: Path, gate: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A detector in a process of its own, on a disk that hangs."""
    parameters = {
        **brief(model_path, tmp_path / 'bags'),
        'use_sim_time': 'true',
        'status_s': 0.1,
        'detection.false_alarms_per_hour': 0.01,
        'intake.backlog_s': 600.0,
    }
    command = [sys.executable, str(SCRIPT), str(gate), str(HANGS_AFTER_S), '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    rig.settle = rig.pause  # it can't be asked what it has read
    process = subprocess.Popen(command, env=os.environ)
    yield process
    process.kill()
    process.wait()


def test_a_detector_leaves_a_disk_that_hangs_behind(
    rig: Any, detector: subprocess.Popen[bytes]
) -> None:
    everybody = [*rig.publishers.values(), rig.clock]
    rig.spin_until(lambda: all(each.get_subscription_count() for each in everybody))

    def after_playing(task: str, said: str) -> bool:
        rig.play(0.5)
        return said in rig.told(task)[1]

    rig.spin_until(lambda: after_playing('detector', 'watching'))
    rig.find()
    rig.spin_until(lambda: after_playing('snapshots', 'the disk hangs'))
    detector.send_signal(signal.SIGTERM)
    # The gate is still closed: a detector that waited for the disk would never leave.
    rig.spin_until(lambda: detector.poll() is not None)
    assert detector.returncode == 0
    rig.spin_until(lambda: rig.events[-1].state == AnomalyEvent.END)
