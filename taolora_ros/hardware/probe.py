"""What this machine is: its processor, memory, Jetson board and CUDA devices.

CUDA is asked through the driver's own library, so that no torch is loaded to learn that there is
no GPU.
"""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_CUDA_SUCCESS = 0
_CC_MAJOR, _CC_MINOR, _MULTIPROCESSORS = 75, 76, 16  # CUdevice_attribute


@dataclass(frozen=True, slots=True)
class Gpu:
    """One CUDA device as the driver describes it."""

    name: str
    capability: tuple[int, int]  # compute capability, e.g. (8, 7) on Orin
    multiprocessors: int
    memory_mb: int

    def __str__(self) -> str:
        major, minor = self.capability
        return f'{self.name} (compute capability {major}.{minor}, {self.memory_mb} MB)'


@dataclass(frozen=True, slots=True)
class Machine:
    """What a detector may run on."""

    architecture: str  # e.g. x86_64, aarch64
    cores: int  # that this process may use
    memory_mb: int  # 0 where the system does not tell
    jetson: str  # board name, e.g. 'NVIDIA Jetson Orin Nano Developer Kit'; empty elsewhere
    gpus: tuple[Gpu, ...]
    gpu_absence: str  # why `gpus` is empty; empty where it is not


def probe(root: Path = Path('/')) -> Machine:
    """Look at this machine.

    Args:
        root: where /proc and /sys are found.
    """
    gpus, absence = cuda_devices()
    return Machine(
        architecture=platform.machine(),
        cores=usable_cores(),
        memory_mb=_memory_mb(root / 'proc/meminfo'),
        jetson=_jetson(root / 'proc/device-tree/model'),
        gpus=gpus,
        gpu_absence=absence,
    )


def usable_cores() -> int:
    """Cores that this process may be scheduled on."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cuda_devices(library: str = 'libcuda.so.1') -> tuple[tuple[Gpu, ...], str]:
    """CUDA devices in the driver's order; without any, why."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return (), f'no NVIDIA driver ({library} is not found)'
    if (status := driver.cuInit(0)) != _CUDA_SUCCESS:
        return (), f'the NVIDIA driver does not start (cuInit returned {status})'
    count = ctypes.c_int()
    if (status := driver.cuDeviceGetCount(ctypes.byref(count))) != _CUDA_SUCCESS:
        return (), f'the NVIDIA driver lists no devices (cuDeviceGetCount returned {status})'
    gpus = tuple(_gpu(driver, index) for index in range(count.value))
    return gpus, '' if gpus else 'the NVIDIA driver sees no device'


def _gpu(driver: ctypes.CDLL, index: int) -> Gpu:
    device, value, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(128)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)

    def attribute(number: int) -> int:
        driver.cuDeviceGetAttribute(ctypes.byref(value), number, device)
        return value.value

    return Gpu(
        name=name.value.decode(errors='replace'),
        capability=(attribute(_CC_MAJOR), attribute(_CC_MINOR)),
        multiprocessors=attribute(_MULTIPROCESSORS),
        memory_mb=memory.value // 2**20,
    )


def _memory_mb(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text(encoding='ascii').splitlines()
    except OSError:
        return 0
    totals = [line.split()[1] for line in lines if line.startswith('MemTotal:')]
    return int(totals[0]) // 1024 if totals else 0


def _jetson(model: Path) -> str:
    try:
        name = model.read_text(encoding='utf-8', errors='replace').strip('\0 \n')
    except OSError:
        return ''
    return name if 'jetson' in name.lower() else ''
