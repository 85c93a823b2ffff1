"""Compiling and caching where the disk doesn't allow it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from taolora_ros.kernels.jit import cached_jit, source_stamp

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
