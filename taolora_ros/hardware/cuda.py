"""CUDA devices as the driver describes them.

The driver's own library is asked, so that no torch is loaded to learn that there is no GPU.
"""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass

from taolora_ros.hardware.readings import in_words

_SUCCESS = 0


class _Attribute(enum.IntEnum):
    """CUdevice_attribute, the few of it that are asked for."""

    CLOCK_KHZ = 13
    MULTIPROCESSORS = 16
    INTEGRATED = 18
    MEMORY_CLOCK_KHZ = 36
    MEMORY_BUS_BITS = 37
    L2_BYTES = 38
    CAPABILITY_MAJOR = 75
    CAPABILITY_MINOR = 76
    SHARED_BYTES_PER_SM = 81


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One CUDA device; None where the driver does not tell."""

    name: str
    capability: tuple[int, int]  # compute capability, e.g. (8, 7) on Orin
    multiprocessors: int
    memory_mb: int  # MiB
    is_integrated: bool = False  # shares the CPU's memory, as on a Jetson
    clock_mhz: float | None = None  # largest of the multiprocessors
    bandwidth_gbs: float | None = None  # of its memory: 2 · clock · bus width
    l2_bytes: int | None = None
    shared_bytes: int | None = None  # shared memory of a multiprocessor

    def __str__(self) -> str:
        major, minor = self.capability
        return f'{self.name} (compute capability {major}.{minor}, {self.memory_mb} MiB)'

    def facts(self) -> dict[str, str]:
        """The description in words, by name."""
        return {
            'GPU': str(self),
            'GPU multiprocessors': str(self.multiprocessors),
            'GPU largest clock': in_words(self.clock_mhz, 'MHz'),
            'GPU memory bandwidth': in_words(self.bandwidth_gbs, 'GB/s'),
            'GPU L2 cache': in_words(self.l2_bytes, 'bytes'),
            'GPU shared memory a multiprocessor': in_words(self.shared_bytes, 'bytes'),
        }


def cuda_devices(library: str = 'libcuda.so.1') -> tuple[tuple[Gpu, ...], str]:
    """CUDA devices in the driver's order; without any, why."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return (), f'no NVIDIA driver ({library} is not found)'
    if (status := driver.cuInit(0)) != _SUCCESS:
        return (), f'the NVIDIA driver does not start (cuInit returned {status})'
    count = ctypes.c_int()
    if (status := driver.cuDeviceGetCount(ctypes.byref(count))) != _SUCCESS:
        return (), f'the NVIDIA driver lists no devices (cuDeviceGetCount returned {status})'
    gpus = tuple(_gpu(driver, index) for index in range(count.value))
    return gpus, '' if gpus else 'the NVIDIA driver sees no device'


def _gpu(driver: ctypes.CDLL, index: int) -> Gpu:
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(128)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)

    def ask(attribute: _Attribute) -> int:
        """The driver's answer; 0 where it has none."""
        value = ctypes.c_int()
        status = driver.cuDeviceGetAttribute(ctypes.byref(value), int(attribute), device)
        return value.value if status == _SUCCESS else 0

    is_integrated = ask(_Attribute.INTEGRATED) > 0
    bits_per_ms = 2 * ask(_Attribute.MEMORY_CLOCK_KHZ) * ask(_Attribute.MEMORY_BUS_BITS)
    # An integrated GPU's driver reports its own clock for the memory's (Orin Nano: 624 MHz, 64
    # bits, where the memory runs at 2133 MHz and 128 bits); `hardware.jetson` knows better.
    bandwidth_gbs = None if is_integrated else bits_per_ms * 1e3 / 8 / 1e9
    return Gpu(
        name=name.value.decode(errors='replace'),
        capability=(ask(_Attribute.CAPABILITY_MAJOR), ask(_Attribute.CAPABILITY_MINOR)),
        multiprocessors=ask(_Attribute.MULTIPROCESSORS),
        memory_mb=memory.value // 2**20,
        is_integrated=is_integrated,
        clock_mhz=ask(_Attribute.CLOCK_KHZ) / 1e3 or None,
        bandwidth_gbs=bandwidth_gbs or None,
        l2_bytes=ask(_Attribute.L2_BYTES) or None,
        shared_bytes=ask(_Attribute.SHARED_BYTES_PER_SM) or None,
    )
