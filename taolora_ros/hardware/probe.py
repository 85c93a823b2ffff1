"""What this machine is: its processor, memory, Jetson board and CUDA devices."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.hardware.cuda import Gpu, cuda_devices
from taolora_ros.hardware.jetson import Jetson, read_jetson
from taolora_ros.hardware.readings import UNKNOWN, memory_mb, read_text


@dataclass(frozen=True, slots=True)
class Machine:
    """What a detector may run on."""

    architecture: str  # e.g. x86_64, aarch64
    processor: str  # e.g. 'Intel(R) Xeon(R) CPU @ 2.20GHz', or 'unknown'
    cores: int  # that this process may use
    memory_mb: int | None  # MiB
    jetson: Jetson | None  # as it was when the machine was probed; None elsewhere
    gpus: tuple[Gpu, ...]
    gpu_absence: str  # why `gpus` is empty; empty where it is not

    def facts(self) -> dict[str, str]:
        """The machine in words, by name; the board's readings as they were when it was probed."""
        gpu = self.gpus[0].facts() if self.gpus else {'GPU': f'none: {self.gpu_absence}'}
        board = self.jetson.facts() if self.jetson else {}
        memory = UNKNOWN if self.memory_mb is None else f'{self.memory_mb} MiB'
        return {
            'processor': f'{self.processor} ({self.architecture})',
            'cores': str(self.cores),
            'memory': memory,
            **gpu,
            **board,
        }


def probe(root: Path = Path('/')) -> Machine:
    """Look at this machine.

    Args:
        root: where /proc, /sys, /etc and /var are found.
    """
    gpus, absence = cuda_devices()
    return Machine(
        architecture=platform.machine(),
        processor=_processor(root / 'proc/cpuinfo'),
        cores=usable_cores(),
        memory_mb=memory_mb(root / 'proc/meminfo', 'MemTotal'),
        jetson=read_jetson(root),
        gpus=gpus,
        gpu_absence=absence,
    )


def usable_cores() -> int:
    """Cores that this process may be scheduled on."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor(cpuinfo: Path) -> str:
    for line in (read_text(cpuinfo) or '').splitlines():
        name, _, value = line.partition(':')
        if name.strip() in ('model name', 'Model'):
            return value.strip()
    return UNKNOWN
