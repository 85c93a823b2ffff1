"""Compiling and caching where the disk doesn't allow it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from taolora_ros.kernels.jit import (
    SOURCES,
    cached_jit,
    cached_jit_of,
    compact,
    formula,
    jit,
    reads,
    source_stamp,
    writes,
)

ROOT = Path(__file__).parents[2]


def test_without_a_place_for_the_cache_a_function_compiles_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = numba.njit

    def njit(*functions: Any, **options: Any) -> Any:
        if options.get('cache'):
            raise RuntimeError('cannot cache function: no locator available for file')
        return plain(*functions, **options)

    monkeypatch.setattr(numba, 'njit', njit)

    @cached_jit
    def twice(value: int) -> int:
        return 2 * value

    assert twice(21) == 42


@formula
def _double(value: float) -> float:
    compact()
    return 2.0 * value


def test_a_formula_is_the_same_function_to_python_and_to_compiled_code() -> None:
    values = np.array([1.5, -2.0])
    assert _double(values).tolist() == [3.0, -4.0]
    assert jit(lambda value: _double(value))(1.5) == 3.0


def test_what_is_compiled_for_given_types_refuses_others_and_writes_nothing_read_only() -> None:
    @cached_jit_of(reads(1), writes(1))
    def doubled(values: np.ndarray, out: np.ndarray) -> None:
        for i in range(len(values)):
            out[i] = _double(values[i])

    values, out = np.array([1.5, -2.0]), np.empty(2)
    doubled(values, out)
    assert out.tolist() == [3.0, -4.0]
    values.flags.writeable = False
    doubled(values, out)
    with pytest.raises(TypeError, match='readonly'):
        doubled(out, values)
    with pytest.raises(TypeError, match='float32'):
        doubled(values.astype(np.float32), out)
    with pytest.raises(TypeError, match='No matching definition'):
        doubled(np.empty((2, 2))[:, 0], out)


def _printed(command: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, '-c', command],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    return done.stdout


def test_the_stamp_is_the_same_in_every_process() -> None:
    command = 'from taolora_ros.kernels.jit import source_stamp; print(source_stamp())'
    assert int(_printed(command)) == source_stamp() >= 0


def test_the_stamp_covers_every_source_that_is_compiled() -> None:
    package = ROOT / 'taolora_ros'
    marks = ('@jit', '@formula', '@cached_jit', '@vector_code')
    compiled = {
        path
        for path in package.rglob('*.py')
        if any(mark in path.read_text(encoding='utf-8') for mark in marks)
    }
    stamped = {
        path.resolve() for pattern in SOURCES for path in (package / 'kernels').glob(pattern)
    }
    assert compiled
    assert compiled <= stamped, sorted(compiled - stamped)


@pytest.mark.parametrize(
    ('before', 'is_loaded'), [('', False), ('import scipy.linalg; ', True)], ids=str
)
def test_the_compiler_comes_without_linear_algebra_unless_it_is_there(
    before: str, is_loaded: bool
) -> None:
    command = (
        f'{before}import sys; from taolora_ros.kernels.jit import jit, load_compiler; '
        "load_compiler(); print(jit(lambda value: 2 * value)(21), 'scipy.linalg' in sys.modules)"
    )
    assert _printed(command).split() == ['42', str(is_loaded)]
