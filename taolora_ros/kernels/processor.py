"""What Numba compiles for: this processor, unless Numba's own settings name another."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import llvmlite.binding as llvm
from numba.core import config

# Processors of LLVM's that have the dot product of bytes without being asked for their features.
_WITH_DOTS = ('cortex-a76', 'cortex-a77', 'cortex-a78', 'cortex-x1', 'neoverse', 'apple-m')


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor, as LLVM knows it."""

    machine: str  # its family, as `platform.machine` tells it
    name: str
    features: frozenset[str]

    @property
    def is_x86(self) -> bool:
        """Whether it is an x86 of 64 bits."""
        return self.machine.lower() in ('x86_64', 'amd64')

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
        is_arm = self.machine.lower() in ('aarch64', 'arm64')
        return is_arm and ('dotprod' in self.features or self.name.startswith(_WITH_DOTS))


def target() -> Processor:
    """The processor that kernels are compiled for."""
    if config.CPU_FEATURES is not None:
        told = config.CPU_FEATURES.split(',')
        features = {part[1:] for part in told if part.startswith('+')}
    elif config.CPU_NAME:
        features = set()
    else:
        features = {name for name, is_there in llvm.get_host_cpu_features().items() if is_there}
    name = config.CPU_NAME or llvm.get_host_cpu_name()
    return Processor(platform.machine(), name, frozenset(features))
