"""What the GPU kernels ask of a multiprocessor, read from their compiled binaries.

No GPU is needed: Triton compiles for a compute capability, and `cuobjdump` from its wheel tells
registers and stack. Occupancy is an estimate by the limits in NVIDIA's CUDA C++ Programming
Guide (technical specifications per compute capability); it says how many programs fit at a time,
not how fast they are.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.errors import DeviceError

ORIN_NANO = (8, 7)
ORIN_NANO_SMS = 8

_WARP = 32  # threads
_PORTION = 8  # registers of a thread are given in such portions
_SHARED_OVERHEAD = 1024  # bytes of a program that the system keeps
_NUMBERS = re.compile(r'REG:(\d+) STACK:(\d+)')


@dataclass(frozen=True, slots=True)
class _Limits:
    """Of a multiprocessor."""

    warps: int
    programs: int
    registers: int
    shared_bytes: int


_LIMITS = {
    (8, 7): _Limits(warps=48, programs=16, registers=65536, shared_bytes=164 * 1024),
    (9, 0): _Limits(warps=64, programs=32, registers=65536, shared_bytes=228 * 1024),
}


@dataclass(frozen=True, slots=True)
class KernelResources:
    """One configuration of one kernel on one kind of device."""

    kernel: str  # its name and configuration
    capability: tuple[int, int]
    warps: int  # of a program
    registers: int  # of a thread
    stack_bytes: int  # of a thread; 0 if no register is spilled
    shared_bytes: int  # of a program
    programs_per_sm: int  # that fit on a multiprocessor at a time
    occupancy: float  # share of the warps that a multiprocessor can hold

    def programs_at_once(self, multiprocessors: int = ORIN_NANO_SMS) -> int:
        """Programs that run at a time on a device."""
        return self.programs_per_sm * multiprocessors


def kernel_table(capability: tuple[int, int] = ORIN_NANO) -> tuple[KernelResources, ...]:
    """Compile every configuration in use and read what it needs; takes up to a minute.

    Args:
        capability: of the device, (8, 7) for Orin or (9, 0) for Hopper.

    Raises:
        DeviceError: limits of the capability are unknown, Triton or its `cuobjdump` is missing,
            or Triton was imported as an interpreter.
    """
    if capability not in _LIMITS:
        known = ', '.join(f'{major}.{minor}' for major, minor in _LIMITS)
        raise DeviceError(
            f'compute capability {capability[0]}.{capability[1]} is not in the table; '
            f'known: {known}'
        )
    tool = _cuobjdump()
    # Triton and torch are loaded by those who ask for the table alone.
    from taolora_ros.kernels.compilation.gpu import compiled
    from taolora_ros.kernels.dual_path_linear import gpu as dual_path_linear
    from taolora_ros.kernels.quantize import gpu as quantize
    from taolora_ros.kernels.stream_step import gpu_kernel as stream_step

    table = []
    for kernel in (quantize, dual_path_linear, stream_step):
        for variant in kernel.variants(capability):
            binary = compiled(variant, capability)
            registers, stack = _registers_and_stack(tool, binary.cubin)
            fitting = fitting_programs(
                capability,
                warps=binary.warps,
                registers=registers,
                shared_bytes=binary.shared_bytes,
            )
            table.append(
                KernelResources(
                    kernel=binary.name,
                    capability=capability,
                    warps=binary.warps,
                    registers=registers,
                    stack_bytes=stack,
                    shared_bytes=binary.shared_bytes,
                    programs_per_sm=fitting,
                    occupancy=fitting * binary.warps / _LIMITS[capability].warps,
                )
            )
    return tuple(table)


def as_markdown(table: Sequence[KernelResources], *, multiprocessors: int = ORIN_NANO_SMS) -> str:
    """The table for a document."""
    lines = [
        f'| kernel | warps | registers | spilled bytes | shared KiB | programs on '
        f'{multiprocessors} SMs | occupancy |',
        '|---|---|---|---|---|---|---|',
    ]
    lines += [
        f'| {row.kernel} | {row.warps} | {row.registers} | {row.stack_bytes} '
        f'| {row.shared_bytes / 1024:.1f} | {row.programs_at_once(multiprocessors)} '
        f'| {row.occupancy:.0%} |'
        for row in table
    ]
    return '\n'.join(lines)


def fitting_programs(
    capability: tuple[int, int], *, warps: int, registers: int, shared_bytes: int
) -> int:
    """Programs that fit on a multiprocessor at a time, by warps, registers and shared memory."""
    limits = _LIMITS[capability]
    rounded = -(-registers // _PORTION) * _PORTION
    warps_by_registers = limits.registers // (rounded * _WARP)
    return min(
        limits.programs,
        limits.warps // warps,
        warps_by_registers // warps,
        limits.shared_bytes // (shared_bytes + _SHARED_OVERHEAD),
    )


def _cuobjdump() -> Path:
    found = importlib.util.find_spec('triton')
    if found is None or found.origin is None:
        raise DeviceError(
            'the table of kernels needs Triton, which is not installed; pip install triton'
        )
    tool = Path(found.origin).parent / 'backends/nvidia/bin/cuobjdump'
    if not tool.is_file():
        raise DeviceError(f'{tool} is missing; install the triton wheel from PyPI')
    return tool


def _registers_and_stack(tool: Path, cubin: bytes) -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'kernel.cubin'
        path.write_bytes(cubin)
        done = subprocess.run(
            [tool, '--dump-resource-usage', path], capture_output=True, text=True, check=False
        )
    found = _NUMBERS.search(done.stdout)
    if found is None:
        reason = ' '.join((done.stderr or done.stdout).split())
        raise DeviceError(f'{tool} tells no registers: {reason:.200}')
    return int(found[1]), int(found[2])
