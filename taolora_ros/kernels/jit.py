"""Numba as all of a hop uses it: compiled when first called, and what Python calls, cached."""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import types
from numba.extending import lower_builtin, register_jitable, type_callable

from taolora_ros.kernels.processor import Processor, target

Kernel = TypeVar('Kernel', bound=Callable[..., Any])

_LINEAR_ALGEBRA = 'scipy.linalg'
_OPTIONS: dict[str, Any] = {
    'nogil': True,
    'error_model': 'numpy',
    'no_cfunc_wrapper': True,  # for callers in C, of which there are none: it takes time to load
}
SOURCES = (  # from which a hop is compiled, relative to this folder
    '*.py',
    '*/cpu*.py',
    '*/packing.py',
    '*/memory.py',
    '*/reference.py',
    '../quantization/int4.py',
    '../ingest/windows.py',
    '../signals/*.py',
    '../routing/*.py',
    '../detection/*.py',
)


def jit(function: Kernel) -> Kernel:
    """Compile a part of a kernel with Numba, as a part of what calls it and not on its own."""
    compiled: Kernel = numba.njit(inline='always', **_OPTIONS)(function)
    return compiled


def formula(function: Kernel) -> Kernel:
    """Let compiled code call it as well; to Python it stays the function that it is."""
    shared: Kernel = register_jitable(**_OPTIONS)(function)
    return shared


def compact() -> None:
    """Keep the compiled function that calls this small; in Python, nothing.

    Its loops are neither unrolled nor made vectors of. With that, a hop of 21 inputs would take
    2 µs less around the network, one of 128 inputs 25 µs; but the code would take 7 MB and twice
    as long to load.
    """


def _return_nothing(context: Any) -> Callable[[], types.Type]:
    return lambda: types.none


def _mark(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    builder.function.attributes.add('optsize')
    return context.get_dummy_value()


type_callable(compact)(_return_nothing)
lower_builtin(compact)(_mark)


def reads(rank: int, kind: types.Type = types.float64) -> types.Array:
    """The type of a contiguous array that is read, and may be read-only."""
    return types.Array(kind, rank, 'C', readonly=True)


def writes(rank: int, kind: types.Type = types.float64) -> types.Array:
    """The type of a contiguous array that is written."""
    return types.Array(kind, rank, 'C')


def cached_jit(function: Kernel) -> Kernel:
    """Compile what Python calls with Numba, and cache it.

    The cache lies beside the source, or in the user's cache folder where that is read-only; where
    neither can be written, every process compiles anew. Numba takes notice when the file of the
    function changes, not when one does that the function calls; so it has to be a closure over
    `source_stamp`, whose value is part of the cache's key.
    """
    return _cached(function)


def cached_jit_of(*arguments: types.Type) -> Callable[[Kernel], Kernel]:
    """As `cached_jit`, for arguments of these types alone.

    It is compiled, or loaded, at once, so that no call waits; a call with other types is refused
    with a TypeError, where it would have compiled anew.
    """

    def decorate(function: Kernel) -> Kernel:
        return _cached(function, [arguments])

    return decorate


def _cached(function: Kernel, *signatures: list[tuple[types.Type, ...]]) -> Kernel:
    try:
        compiled: Kernel = numba.njit(*signatures, cache=True, **_OPTIONS)(function)
    except RuntimeError:  # Numba's "no locator available": no folder for the cache
        compiled = numba.njit(*signatures, **_OPTIONS)(function)
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


@functools.cache
def source_stamp() -> int:
    """A number, not negative, that changes with any source that a hop compiles from.

    And with the processor that it is compiled for, which Numba's settings may change.
    """
    here, stamp = Path(__file__).parent, zlib.crc32(_words(target()))
    for pattern in SOURCES:
        for path in sorted(here.glob(pattern)):
            stamp = zlib.crc32(path.read_bytes(), stamp)
    return stamp
