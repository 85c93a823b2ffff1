"""Recordings of events, and the disk that fails them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from taolora_ros.msg import AnomalyEvent

from taolora_ros.bags import read_messages
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.offline import run_bag
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
