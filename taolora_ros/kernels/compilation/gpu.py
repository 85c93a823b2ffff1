"""One configuration of a Triton kernel: launched, or compiled for a device without having it.

A launch and a compilation read the same record, so what the tables say of registers and shared
memory is said of what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from taolora_ros.errors import DeviceError

_WARP = 32  # threads
_ALIGNED = (('tt.divisibility', 16),)  # what torch's allocator gives every tensor


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A kernel with all that is fixed when it is compiled."""

    name: str
    kernel: Any  # what @triton.jit returns
    types: tuple[str, ...]  # of its arguments before the constants, e.g. '*fp32', 'i32'
    constants: Mapping[str, int]  # its constexpr arguments
    warps: int
    stages: int  # of the software pipeline

    def launch(self, grid: tuple[int, ...], *arguments: object) -> None:
        """Enqueue the kernel on the current stream."""
        run: Callable[..., object] = self.kernel[grid]
        run(
            *arguments,
            **self.constants,
            num_warps=self.warps,
            num_stages=self.stages,
            enable_fp_fusion=False,  # the codes' bits depend on it
        )


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """A variant compiled for a device."""

    name: str
    capability: tuple[int, int]
    cubin: bytes
    ptx: str
    warps: int
    shared_bytes: int  # of a program


def compiled(variant: Variant, capability: tuple[int, int]) -> Binary:
    """Compile a variant for a compute capability, e.g. (8, 7); no GPU is needed.

    Raises:
        DeviceError: Triton was imported with TRITON_INTERPRET set, so that its interpreter has
            taken the kernels' place.
    """
    if not isinstance(variant.kernel, triton.runtime.JITFunction):
        raise DeviceError('kernels cannot be compiled while TRITON_INTERPRET is set; unset it')
    names = variant.kernel.arg_names
    signature = dict(zip(names, variant.types, strict=False))
    signature.update(dict.fromkeys(variant.constants, 'constexpr'))
    source = ASTSource(
        fn=variant.kernel,
        signature=signature,
        constexprs=dict(variant.constants),
        attrs={
            (index,): [list(hint) for hint in _ALIGNED]
            for index, kind in enumerate(variant.types)
            if kind.startswith('*')
        },
    )
    major, minor = capability
    built = triton.compile(
        source,
        target=GPUTarget('cuda', 10 * major + minor, _WARP),
        options={
            'num_warps': variant.warps,
            'num_stages': variant.stages,
            'enable_fp_fusion': False,
        },
    )
    return Binary(
        name=variant.name,
        capability=capability,
        cubin=built.asm['cubin'],
        ptx=built.asm['ptx'],
        warps=variant.warps,
        shared_bytes=built.metadata.shared,
    )
