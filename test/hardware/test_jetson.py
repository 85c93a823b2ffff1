from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taolora_ros.hardware.jetson import Clock, read_jetson

WriteTree = Callable[..., Path]

MODEL = 'proc/device-tree/model'
STATUS = 'var/lib/nvpmodel/status'
GPU = 'sys/class/devfreq/17000000.gpu'
EMC = 'sys/kernel/debug/bpmp/debug/clk/emc'


def test_an_orin_nano_tells_all_of_itself(write_tree: WriteTree) -> None:
    jetson = read_jetson(write_tree())
    assert jetson is not None
    assert jetson.model == 'NVIDIA Jetson Orin Nano Developer Kit'
    assert jetson.power_mode == '15W'
    assert jetson.gpu == Clock(pytest.approx(306.0), pytest.approx(624.75))
    assert jetson.cpu == Clock(pytest.approx(1344.0), pytest.approx(1510.4))
    assert jetson.emc == Clock(pytest.approx(2133.0), pytest.approx(2133.0))
    assert jetson.temperatures_c == pytest.approx({'cpu-thermal': 48.968, 'gpu-thermal': 49.562})
    assert (jetson.memory_mb, jetson.available_mb) == (7619, 5000)


def test_memory_moves_two_words_of_128_bits_a_clock(write_tree: WriteTree) -> None:
    jetson = read_jetson(write_tree())
    assert jetson is not None
    assert jetson.bandwidth_gbs == pytest.approx(68.256)  # 2 · 2133 MHz · 16 bytes


def test_the_module_of_4_gb_has_half_the_bus(write_tree: WriteTree) -> None:
    jetson = read_jetson(write_tree({'proc/meminfo': 'MemTotal: 3900000 kB\n'}))
    assert jetson is not None
    assert jetson.bandwidth_gbs == pytest.approx(34.128)


def test_a_user_who_is_not_root_learns_the_memory_clock_from_the_power_mode(
    write_tree: WriteTree,
) -> None:
    jetson = read_jetson(write_tree({f'{EMC}/rate': None, f'{EMC}/max_rate': None}))
    assert jetson is not None
    assert jetson.emc == Clock(None, pytest.approx(2133.0))


def test_a_mode_without_a_limit_leaves_the_memory_clock_its_own(write_tree: WriteTree) -> None:
    jetson = read_jetson(write_tree({STATUS: 'pmode:0002'}))
    assert jetson is not None
    assert jetson.power_mode == 'MAXN_SUPER'
    assert jetson.emc.max_mhz == pytest.approx(3199.0)
    assert jetson.bandwidth_gbs == pytest.approx(102.368)


def test_a_mode_that_the_settings_do_not_name_keeps_its_number(write_tree: WriteTree) -> None:
    jetson = read_jetson(write_tree({STATUS: 'pmode:0007'}))
    assert jetson is not None
    assert jetson.power_mode == 'mode 7'


def test_the_gpu_of_jetson_linux_35_is_found_by_its_other_name(write_tree: WriteTree) -> None:
    older = GPU.replace('gpu', 'ga10b')
    changes = {f'{GPU}/cur_freq': None, f'{GPU}/max_freq': None, f'{older}/max_freq': '624750000'}
    jetson = read_jetson(write_tree(changes))
    assert jetson is not None
    assert jetson.gpu.max_mhz == pytest.approx(624.75)


def test_a_board_that_tells_nothing_but_its_name_is_unknown_throughout(
    tmp_path: Path,
) -> None:
    (tmp_path / MODEL).parent.mkdir(parents=True)
    (tmp_path / MODEL).write_text('NVIDIA Jetson AGX Orin\0')
    jetson = read_jetson(tmp_path)
    assert jetson is not None
    facts = jetson.facts()
    assert facts.pop('board') == 'NVIDIA Jetson AGX Orin'
    assert set(facts.values()) == {'unknown'}


@pytest.mark.parametrize('content', ['', 'garbage\n', None])
def test_no_file_can_stop_the_reading(
    write_tree: WriteTree, orin_files: list[str], content: str | None
) -> None:
    for name in orin_files:
        if name == MODEL:
            continue
        root = write_tree({name: content or ''})
        if content is None:  # a folder cannot be read, like a file that belongs to root
            (root / name).unlink()
            (root / name).mkdir()
        jetson = read_jetson(root)
        assert jetson is not None
        assert all(jetson.facts().values())
        if content is None:
            (root / name).rmdir()


def test_facts_name_the_clock_now_and_its_limit(write_tree: WriteTree) -> None:
    jetson = read_jetson(write_tree())
    assert jetson is not None
    facts = jetson.facts()
    assert facts['GPU clock'] == '306 MHz, at most 625 MHz'
    assert facts['hottest'] == facts['temperature gpu-thermal'] == '49.6 °C'
    assert facts['memory bandwidth'] == '68.3 GB/s'


def test_nothing_is_written(write_tree: WriteTree) -> None:
    root = write_tree()
    before = {path: path.read_bytes() for path in root.rglob('*') if path.is_file()}
    read_jetson(root)
    assert {path: path.read_bytes() for path in root.rglob('*') if path.is_file()} == before
    assert root / GPU / 'max_freq' in before


@pytest.mark.parametrize('model', ['Raspberry Pi 5\0', ''])
def test_another_board_is_no_jetson(write_tree: WriteTree, model: str) -> None:
    assert read_jetson(write_tree({MODEL: model})) is None


def test_a_machine_without_a_device_tree_is_no_jetson(tmp_path: Path) -> None:
    assert read_jetson(tmp_path) is None
