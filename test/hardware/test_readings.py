from __future__ import annotations

from pathlib import Path

import pytest

from taolora_ros.hardware.readings import (
    children,
    in_words,
    memory_mb,
    read_number,
    read_text,
)


def test_a_device_tree_string_loses_its_nul(tmp_path: Path) -> None:
    (tmp_path / 'model').write_bytes(b'NVIDIA Jetson\0')
    assert read_text(tmp_path / 'model') == 'NVIDIA Jetson'


def test_a_number_is_brought_to_the_unit_wanted(tmp_path: Path) -> None:
    (tmp_path / 'cur_freq').write_text('306000000\n')
    assert read_number(tmp_path / 'cur_freq', scale=1e-6) == pytest.approx(306.0)


@pytest.mark.parametrize('content', [b'', b'n/a\n', b'12 34\n', b'\xff\xfe'])
def test_what_is_no_number_is_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'temp').write_bytes(content)
    assert read_number(tmp_path / 'temp') is None


def test_what_is_missing_or_a_folder_is_unknown(tmp_path: Path) -> None:
    assert read_text(tmp_path / 'missing') is None
    assert read_text(tmp_path) is None
    assert read_number(tmp_path) is None
    assert children(tmp_path / 'missing') == []


def test_memory_is_read_in_whole_mib(tmp_path: Path) -> None:
    (tmp_path / 'meminfo').write_text('MemTotal:  7802868 kB\nMemTotalOdd: 1 kB\nSwapFree:\n')
    assert memory_mb(tmp_path / 'meminfo', 'MemTotal') == 7619
    assert memory_mb(tmp_path / 'meminfo', 'MemAvailable') is None
    assert memory_mb(tmp_path / 'meminfo', 'SwapFree') is None


def test_a_reading_is_told_with_its_unit_or_as_unknown() -> None:
    assert in_words(49.562, '°C', digits=1) == '49.6 °C'
    assert in_words(None, '°C') == 'unknown'
