"""A Jetson board: power mode, clocks, temperatures and memory, as sysfs and procfs tell them.

Everything here is read and nothing is written: power and clocks are the user's to set. Where the
files are, on Jetson Linux 35 and 36 (Orin):

| what | file |
|---|---|
| model | /proc/device-tree/model |
| power mode | number in /var/lib/nvpmodel/status, `pmode:0002`; names in /etc/nvpmodel.conf |
| GPU clock | cur_freq, max_freq in Hz, under /sys/class/devfreq in `17000000.gpu` (Linux 36) |
| | or `17000000.ga10b` (35) |
| CPU clocks | /sys/devices/system/cpu/cpu*/cpufreq, scaling_cur_freq and scaling_max_freq in kHz |
| EMC clock | rate, max_rate in Hz, under /sys/kernel/debug/bpmp/debug/clk/emc; root's alone |
| temperatures | type, temp in 1/1000 °C, under /sys/class/thermal/thermal_zone* |
| memory | /proc/meminfo: CPU and GPU share it |

The maximum of a clock is the limit in force, which the power mode sets. Without root, the EMC's is
the one that /etc/nvpmodel.conf gives for the mode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.hardware.readings import (
    UNKNOWN,
    children,
    in_words,
    memory_mb,
    read_number,
    read_text,
)

_MODE = re.compile(r'<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>')
_EMC_LIMIT = re.compile(r'^\s*EMC\s+MAX_FREQ\s+(\d+)', re.MULTILINE)
_GPU_FOLDER = re.compile(r'gpu|g[apv]\d+b')
_OFF_C = -200.0  # a zone whose sensor is off reads −256 °C
# Width of the memory bus by module, from NVIDIA's data sheets; the driver's own figure is wrong
# on Orin (64 bits on an Orin Nano of 128, 256 on one of 128).
_BUS_BITS = (('AGX Orin', 256), ('Orin NX', 128), ('Orin Nano', 128))
_SMALL_MB = 5000  # the modules of 4 GB have half the bus


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock as it runs and as it may, in MHz; None where the system does not tell."""

    now_mhz: float | None = None
    max_mhz: float | None = None

    def __str__(self) -> str:
        if self.now_mhz is None and self.max_mhz is None:
            return UNKNOWN
        return f'{in_words(self.now_mhz, "MHz")}, at most {in_words(self.max_mhz, "MHz")}'


@dataclass(frozen=True, slots=True)
class Jetson:
    """The board at the moment of reading."""

    model: str  # e.g. 'NVIDIA Jetson Orin Nano Developer Kit'
    power_mode: str  # e.g. '15W', or 'unknown'
    gpu: Clock
    cpu: Clock  # of the fastest core
    emc: Clock  # of the memory
    temperatures_c: Mapping[str, float]  # by zone, e.g. 'gpu-thermal'; those that are off left out
    memory_mb: int | None  # shared by CPU and GPU
    available_mb: int | None

    @property
    def bandwidth_gbs(self) -> float | None:
        """Bytes that the memory moves at most, in GB/s: two a clock and byte of the bus."""
        bits = next((bits for name, bits in _BUS_BITS if name in self.model), None)
        if bits is None or self.emc.max_mhz is None:
            return None
        is_small = self.memory_mb is not None and self.memory_mb < _SMALL_MB
        return 2.0 * self.emc.max_mhz * 1e6 * (bits // 2 if is_small else bits) / 8 / 1e9

    def facts(self) -> dict[str, str]:
        """All readings in words, by name."""
        hottest = max(self.temperatures_c.values(), default=None)
        return {
            'board': self.model,
            'power mode': self.power_mode,
            'GPU clock': str(self.gpu),
            'CPU clock': str(self.cpu),
            'memory clock': str(self.emc),
            'memory bandwidth': in_words(self.bandwidth_gbs, 'GB/s', digits=1),
            'shared memory': in_words(self.memory_mb, 'MiB'),
            'shared memory available': in_words(self.available_mb, 'MiB'),
            'hottest': in_words(hottest, '°C', digits=1),
            **{
                f'temperature {zone}': in_words(value, '°C', digits=1)
                for zone, value in self.temperatures_c.items()
            },
        }


def read_jetson(root: Path = Path('/')) -> Jetson | None:
    """The board as it is now; None where this is no Jetson.

    Args:
        root: where /proc, /sys, /etc and /var are found.
    """
    model = read_text(root / 'proc/device-tree/model') or ''
    if 'jetson' not in model.lower():
        return None
    mode, emc_limit_mhz = _power_mode(root)
    return Jetson(
        model=model,
        power_mode=mode,
        gpu=_gpu_clock(root / 'sys/class/devfreq'),
        cpu=_cpu_clock(root / 'sys/devices/system/cpu'),
        emc=_emc_clock(root / 'sys/kernel/debug/bpmp/debug/clk/emc', emc_limit_mhz),
        temperatures_c=_temperatures(root / 'sys/class/thermal'),
        memory_mb=memory_mb(root / 'proc/meminfo', 'MemTotal'),
        available_mb=memory_mb(root / 'proc/meminfo', 'MemAvailable'),
    )


def _power_mode(root: Path) -> tuple[str, float | None]:
    """Name of the mode in force, and its limit of the EMC clock in MHz."""
    status = re.search(r'pmode:(\d+)', read_text(root / 'var/lib/nvpmodel/status') or '')
    if status is None:
        return UNKNOWN, None
    number = int(status[1])
    settings = read_text(root / 'etc/nvpmodel.conf') or ''
    modes = list(_MODE.finditer(settings))
    ends = [*(mode.start() for mode in modes[1:]), len(settings)]
    for mode, end in zip(modes, ends, strict=False):
        if int(mode[1]) == number:
            limit = _EMC_LIMIT.search(settings, mode.end(), end)
            hertz = int(limit[1]) if limit else 0  # 0 is 'no limit'
            return mode[2], hertz / 1e6 if hertz else None
    return f'mode {number}', None


def _gpu_clock(devfreq: Path) -> Clock:
    for folder in children(devfreq):
        if _GPU_FOLDER.search(folder.name):
            return Clock(
                read_number(folder / 'cur_freq', scale=1e-6),
                read_number(folder / 'max_freq', scale=1e-6),
            )
    return Clock()


def _cpu_clock(cpus: Path) -> Clock:
    folders = [cpu / 'cpufreq' for cpu in children(cpus) if re.fullmatch(r'cpu\d+', cpu.name)]

    def fastest(name: str) -> float | None:
        readings = [read_number(folder / name, scale=1e-3) for folder in folders]
        return max((value for value in readings if value is not None), default=None)

    return Clock(fastest('scaling_cur_freq'), fastest('scaling_max_freq'))


def _emc_clock(emc: Path, limit_mhz: float | None) -> Clock:
    now, most = (read_number(emc / name, scale=1e-6) for name in ('rate', 'max_rate'))
    limits = [value for value in (most, limit_mhz) if value is not None]
    return Clock(now, min(limits, default=None))


def _temperatures(thermal: Path) -> dict[str, float]:
    readings = {}
    for zone in children(thermal):
        if not zone.name.startswith('thermal_zone'):
            continue
        name, value = read_text(zone / 'type'), read_number(zone / 'temp', scale=1e-3)
        if name and value is not None and value > _OFF_C:
            readings[name] = value
    return readings
