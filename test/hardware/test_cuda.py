from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from taolora_ros.hardware.cuda import Gpu, cuda_devices

# A stand-in for the driver: its functions as the CUDA driver API declares them. One device inside,
# an A10 (deviceQuery: 1695 MHz, memory 6251 MHz, 384 bits, L2 of 6 MiB) or an Orin Nano.
DRIVER = r"""
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, NAME, size); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 7437ul << 20; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  static const int known[][2] = {ATTRIBUTES};
  for (unsigned i = 0; i < sizeof known / sizeof known[0]; ++i)
    if (known[i][0] == attribute) { *value = known[i][1]; return 0; }
  *value = -1;
  return 1;
}
"""
A10 = (
    '{13, 1695000}, {16, 72}, {18, 0}, {36, 6251000}, {37, 384}, {38, 6291456}, '
    '{75, 8}, {76, 6}, {81, 102400}'
)
ORIN = (
    '{13, 624000}, {16, 8}, {18, 1}, {36, 624000}, {37, 64}, {38, 2097152}, '
    '{75, 8}, {76, 7}, {81, 167936}'
)


def _driver(
    folder: Path,
    *,
    init: int = 0,
    count: int = 1,
    name: str = 'NVIDIA A10',
    attributes: str = A10,
) -> str:
    compiler = shutil.which('cc')
    if compiler is None:
        pytest.skip('needs a C compiler')
    source, library = folder / 'driver.c', folder / 'libdriver.so'
    macros = {'INIT': init, 'COUNT': count, 'NAME': f'"{name}"', 'ATTRIBUTES': attributes}
    defined = ''.join(f'#define {macro} {value}\n' for macro, value in macros.items())
    source.write_text(defined + DRIVER)
    subprocess.run([compiler, '-shared', '-fPIC', '-o', library, source], check=True)
    return str(library)


def test_without_a_driver_there_are_no_gpus_and_the_reason_is_said() -> None:
    gpus, absence = cuda_devices('libcuda_that_nobody_has.so.1')
    assert gpus == ()
    assert 'no NVIDIA driver' in absence


def test_a_device_is_described_as_the_driver_does(tmp_path: Path) -> None:
    gpus, absence = cuda_devices(_driver(tmp_path))
    assert absence == ''
    assert gpus == (
        Gpu(
            name='NVIDIA A10',
            capability=(8, 6),
            multiprocessors=72,
            memory_mb=7437,
            clock_mhz=1695.0,
            bandwidth_gbs=pytest.approx(600.096),  # 2 · 6251 MHz · 48 bytes
            l2_bytes=6 * 2**20,
            shared_bytes=102_400,
        ),
    )
    assert str(gpus[0]) == 'NVIDIA A10 (compute capability 8.6, 7437 MiB)'


def test_the_memory_clock_of_an_integrated_gpu_is_not_believed(tmp_path: Path) -> None:
    ((gpu,), _) = cuda_devices(_driver(tmp_path, name='Orin', attributes=ORIN))
    assert gpu.is_integrated
    assert gpu.bandwidth_gbs is None
    assert gpu.facts()['GPU memory bandwidth'] == 'unknown'


def test_what_the_driver_does_not_tell_is_unknown(tmp_path: Path) -> None:
    ((gpu,), _) = cuda_devices(_driver(tmp_path, attributes='{75, 8}, {76, 6}, {16, 72}'))
    unknown = {name for name, value in gpu.facts().items() if value == 'unknown'}
    assert unknown == {
        'GPU largest clock',
        'GPU memory bandwidth',
        'GPU L2 cache',
        'GPU shared memory a multiprocessor',
    }


@pytest.mark.parametrize(
    ('init', 'count', 'reason'), [(999, 0, 'cuInit returned 999'), (0, 0, 'sees no device')]
)
def test_a_driver_without_devices_says_why(
    tmp_path: Path, init: int, count: int, reason: str
) -> None:
    gpus, absence = cuda_devices(_driver(tmp_path, init=init, count=count))
    assert gpus == ()
    assert reason in absence
