from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from taolora_ros.hardware.probe import Gpu, cuda_devices, probe, usable_cores


def test_this_machine_has_cores_memory_and_a_name() -> None:
    machine = probe()
    assert machine.architecture == os.uname().machine
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.memory_mb > 0


def test_either_gpus_are_listed_or_their_absence_is_explained() -> None:
    machine = probe()
    assert bool(machine.gpus) != bool(machine.gpu_absence)


def test_cores_are_those_that_the_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_without_a_driver_there_are_no_gpus_and_the_reason_is_said() -> None:
    gpus, absence = cuda_devices('libcuda_that_nobody_has.so.1')
    assert gpus == ()
    assert 'no NVIDIA driver' in absence


# A stand-in for the driver: its functions as the CUDA driver API declares them, one Orin inside.
DRIVER = r"""
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Orin", size); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 7437ul << 20; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 7 : attribute == 16 ? 8 : -1;
  return 0;
}
"""


def _driver(folder: Path, *, init: int, count: int) -> str:
    compiler = shutil.which('cc')
    if compiler is None:
        pytest.skip('needs a C compiler')
    source, library = folder / 'driver.c', folder / 'libdriver.so'
    source.write_text(f'#define INIT {init}\n#define COUNT {count}\n{DRIVER}')
    subprocess.run([compiler, '-shared', '-fPIC', '-o', library, source], check=True)
    return str(library)


def test_a_device_is_described_as_the_driver_does(tmp_path: Path) -> None:
    gpus, absence = cuda_devices(_driver(tmp_path, init=0, count=1))
    assert gpus == (Gpu('Orin', (8, 7), 8, 7437),)
    assert absence == ''
    assert str(gpus[0]) == 'Orin (compute capability 8.7, 7437 MB)'


@pytest.mark.parametrize(
    ('init', 'count', 'reason'), [(999, 0, 'cuInit returned 999'), (0, 0, 'sees no device')]
)
def test_a_driver_without_devices_says_why(
    tmp_path: Path, init: int, count: int, reason: str
) -> None:
    gpus, absence = cuda_devices(_driver(tmp_path, init=init, count=count))
    assert gpus == ()
    assert reason in absence


def _root(folder: Path, model: bytes) -> Path:
    (folder / 'proc/device-tree').mkdir(parents=True)
    (folder / 'proc/device-tree/model').write_bytes(model)
    (folder / 'proc/meminfo').write_text('MemTotal:        7802868 kB\nMemFree: 1 kB\n')
    return folder


def test_a_jetson_is_known_by_its_device_tree(tmp_path: Path) -> None:
    machine = probe(_root(tmp_path, b'NVIDIA Jetson Orin Nano Developer Kit\0'))
    assert machine.jetson == 'NVIDIA Jetson Orin Nano Developer Kit'
    assert machine.memory_mb == 7619  # whole MiB


def test_another_board_is_no_jetson(tmp_path: Path) -> None:
    assert probe(_root(tmp_path, b'Raspberry Pi 5\0')).jetson == ''


def test_a_system_that_tells_nothing_is_probed_all_the_same(tmp_path: Path) -> None:
    machine = probe(tmp_path)
    assert (machine.memory_mb, machine.jetson) == (0, '')
