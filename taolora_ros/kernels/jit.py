"""Numba as the CPU kernels use it: compiled when first called, and what a hop calls, cached."""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

from taolora_ros.kernels.processor import Processor, target

Kernel = TypeVar('Kernel', bound=Callable[..., Any])

_LINEAR_ALGEBRA = 'scipy.linalg'
_OPTIONS: dict[str, Any] = {'nogil': True, 'error_model': 'numpy'}


def jit(function: Kernel) -> Kernel:
    """Compile a part of a kernel with Numba."""
    compiled: Kernel = numba.njit(**_OPTIONS)(function)
    return compiled


def cached_jit(function: Kernel) -> Kernel:
    """Compile what Python calls with Numba, and cache it.

    The cache lies beside the source, or in the user's cache folder where that is read-only; where
    neither can be written, every process compiles anew. Numba takes notice when the file of the
    function changes, not when one does that the function calls; so it has to be a closure over
    `source_stamp`, whose value is part of the cache's key.
    """
    try:
        compiled: Kernel = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # Numba's "no locator available": no folder for the cache
        compiled = numba.njit(**_OPTIONS)(function)
    return compiled


@functools.cache  # it compiles something, which stays
def load_compiler() -> None:
    """Load Numba's compiler without SciPy, in a process that compiles nothing but kernels.

    Numba binds SciPy's linear algebra where it is installed; no kernel has any, and it takes
    24 MB. Where SciPy is loaded already, nothing is left out.
    """
    is_ours = _LINEAR_ALGEBRA not in sys.modules
    if is_ours:
        sys.modules[_LINEAR_ALGEBRA] = None  # type: ignore[assignment]  # as if not installed
    try:
        numba.njit('int64(int64)')(lambda value: value)
    finally:
        if is_ours:
            del sys.modules[_LINEAR_ALGEBRA]


def _words(processor: Processor) -> bytes:
    features = ' '.join(sorted(processor.features))
    return f'{processor.machine} {processor.name} {features}'.encode()


def source_stamp() -> int:
    """A number, not negative, that changes with any source that CPU kernels compile from.

    And with the processor that they compile for, which Numba's settings may change.
    """
    here, stamp = Path(__file__).parent, zlib.crc32(_words(target()))
    sources = ('*.py', '*/cpu*.py', '*/packing.py', '*/reference.py', '../quantization/int4.py')
    for pattern in sources:
        for path in sorted(here.glob(pattern)):
            stamp = zlib.crc32(path.read_bytes(), stamp)
    return stamp
