"""Every configuration of the GPU kernels, compiled for Orin and Hopper without having them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from taolora_ros.errors import DeviceError
from taolora_ros.hardware.kernel_table import (
    KernelResources,
    as_markdown,
    fitting_programs,
    kernel_table,
)

pytest.importorskip('triton')

_TABLE = """
import dataclasses, json
from taolora_ros.hardware.kernel_table import kernel_table
print(json.dumps([dataclasses.asdict(row) for row in kernel_table({capability})]))
"""


def table(capability: tuple[int, int]) -> list[dict[str, Any]]:
    """The table from a process of its own: in this one, Triton may be an interpreter."""
    done = subprocess.run(
        [sys.executable, '-c', _TABLE.format(capability=capability)],
        env={**os.environ, 'TRITON_INTERPRET': '0'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


@pytest.mark.parametrize('capability', [(8, 7), (9, 0)], ids=['orin', 'hopper'])
def test_every_configuration_compiles_without_spills_and_fits(
    capability: tuple[int, int],
) -> None:
    rows = table(capability)
    for kernel in ('quantize', 'dual_path_linear', 'stream_step'):
        assert any(row['kernel'].startswith(kernel) for row in rows), kernel
    assert any('time_aware, group 64, rank 16' in row['kernel'] for row in rows)
    assert len({row['kernel'] for row in rows}) == len(rows)
    for row in rows:
        assert row['stack_bytes'] == 0, row
        assert row['shared_bytes'] < 100 * 1024, row
        assert row['programs_per_sm'] >= 1, row


def test_occupancy_is_what_the_scarcest_resource_allows() -> None:
    # 48 warps and 65,536 registers on a multiprocessor of Orin.
    assert fitting_programs((8, 7), warps=4, registers=32, shared_bytes=0) == 12
    assert fitting_programs((8, 7), warps=4, registers=128, shared_bytes=0) == 4
    assert fitting_programs((8, 7), warps=8, registers=244, shared_bytes=4096) == 1
    assert fitting_programs((8, 7), warps=1, registers=16, shared_bytes=0) == 16
    assert fitting_programs((8, 7), warps=1, registers=16, shared_bytes=40 * 1024) == 4


def test_the_table_as_text_has_a_line_for_each_configuration() -> None:
    row = KernelResources(
        kernel='quantize',
        capability=(8, 7),
        warps=4,
        registers=64,
        stack_bytes=0,
        shared_bytes=4096,
        programs_per_sm=8,
        occupancy=2 / 3,
    )
    assert as_markdown([row]).splitlines()[2] == '| quantize | 4 | 64 | 0 | 4.0 | 64 | 67% |'


def test_an_unknown_capability_is_refused() -> None:
    with pytest.raises(DeviceError, match=r'7\.0 is not in the table'):
        kernel_table((7, 0))
