from __future__ import annotations

from pathlib import Path

import pytest

from taolora_ros import artifact
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.speed.detector_model import write_bag
from taolora_ros.evaluation.speed.detector_process import read_process, watch_detector

STATUS = 'Name:\tpython\nVmHWM:\t  250000 kB\nVmRSS:\t  125000 kB\n'
MAPS = """\
7f00-7f01 r-xp 00000000 08:01 1   /usr/lib/libc.so.6
7f01-7f02 r-xp 00000000 08:01 2   /opt/my env/libtorch_cpu.so
7f02-7f03 rw-p 00000000 00:00 0
7f03-7f04 rw-p 00000000 00:00 0   [heap]
"""


def test_memory_and_libraries_come_from_proc(tmp_path: Path) -> None:
    (tmp_path / 'status').write_text(STATUS)
    (tmp_path / 'maps').write_text(MAPS)
    process = read_process(tmp_path)
    assert process.rss_mb == 128.0
    assert process.peak_mb == 256.0
    assert process.libraries == {'libc.so.6', 'libtorch_cpu.so'}
    assert process.has_torch
    assert not process.has_compiler


@pytest.fixture
def ros() -> None:
    pytest.importorskip('rclpy', reason='the detector node needs ROS 2')
    pytest.importorskip('taolora_ros.msg', reason='the messages are not built')


def test_a_running_detector_is_looked_at(ros: None, model: DetectorModel, tmp_path: Path) -> None:
    path = tmp_path / 'model.safetensors'
    artifact.save(model, path)
    write_bag(tmp_path / 'bag', model.config, length_s=1.0)
    process = watch_detector(path, tmp_path / 'bag', folder=tmp_path, length_s=1.0)
    assert 30.0 < process.rss_mb <= process.peak_mb
    assert not process.has_torch
    assert any('rcl' in name for name in process.libraries)
    assert 'messages=100' in (tmp_path / 'replay.txt').read_text()


def test_a_node_that_fails_is_quoted(ros: None, model: DetectorModel, tmp_path: Path) -> None:
    artifact.save(model, tmp_path / 'model.safetensors')
    absent = tmp_path / 'no_bag'
    with pytest.raises(TaoloraError, match=r'the replay node failed: .*no_bag'):
        watch_detector(tmp_path / 'model.safetensors', absent, folder=tmp_path, length_s=1.0)
