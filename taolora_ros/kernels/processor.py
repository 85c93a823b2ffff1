"""What Numba compiles for: this processor, unless Numba's own settings name another."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import llvmlite.binding as llvm
from numba.core import config
from numba.core.codegen import get_host_cpu_features

_CPUINFO = Path('/proc/cpuinfo')

# Processors of LLVM's that have the dot product of bytes without being asked for their features.
_WITH_DOTS = ('cortex-a76', 'cortex-a77', 'cortex-a78', 'cortex-x1', 'neoverse', 'apple-m')


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor, as LLVM knows it."""

    machine: str  # its family, as `platform.machine` tells it
    name: str
    features: frozenset[str]
    is_richer: bool = False  # whether features hold more than Numba asks LLVM for

    @property
    def is_x86(self) -> bool:
        """Whether it is an x86 of 64 bits."""
        return self.machine.lower() in ('x86_64', 'amd64')

    @property
    def is_arm(self) -> bool:
        """Whether it is an Arm of 64 bits."""
        return self.machine.lower() in ('aarch64', 'arm64')

    @property
    def has_halves(self) -> bool:
        """Whether it makes FP32 of FP16; LLVM calls a function elsewhere, which no library has."""
        return self.is_arm or (self.is_x86 and {'avx', 'f16c'} <= self.features)

    @property
    def has_masks(self) -> bool:
        """Whether part of a vector is loaded and stored as fast as all of it."""
        return self.is_x86 and {'avx512bw', 'avx512vl'} <= self.features

    @property
    def has_avx512_vnni(self) -> bool:
        """Whether it adds four products of bytes to each of 16 sums at once."""
        return self.has_masks and 'avx512vnni' in self.features

    @property
    def has_avx_vnni(self) -> bool:
        """Whether it does so for 8 sums, without AVX-512."""
        return self.is_x86 and 'avxvnni' in self.features

    @property
    def has_sdot(self) -> bool:
        """Whether it is an Arm that does so for 4 sums."""
        return self.is_arm and ('dotprod' in self.features or self.name.startswith(_WITH_DOTS))


def target() -> Processor:
    """The processor that kernels are compiled for, with the features that Numba asks LLVM for.

    The LLVM that Numba brings finds no dot product among an Arm's features, and before 19 takes
    the Jetson Orin's Cortex-A78AE for `generic`: the feature is added where the name tells it or,
    unless Numba's settings name a processor, where Linux lists it.
    """
    told = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    features: set[str] = set()
    for feature in told.split(','):
        (features.add if feature.startswith('+') else features.discard)(feature[1:])
    name = config.CPU_NAME or llvm.get_host_cpu_name()
    found = Processor(platform.machine(), name, frozenset(features))
    is_named = config.CPU_NAME is not None or config.CPU_FEATURES is not None
    has_dots = found.has_sdot or (found.is_arm and not is_named and _lists_dots())
    if not has_dots or 'dotprod' in features:
        return found
    return Processor(found.machine, name, found.features | {'dotprod'}, is_richer=True)


def _lists_dots() -> bool:
    """Whether Linux lists the dot product of bytes among an Arm's features."""
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return False
    return any('asimddp' in line.split() for line in lines if line.startswith('Features'))
