"""Which processor kernels are compiled for, as Numba and Linux tell it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numba.core import config, types

from taolora_ros.kernels import processor, vectors
from taolora_ros.kernels.dots import SDOT, SHORTS, Unit, fitting
from taolora_ros.kernels.halves import widened_halves
from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.processor import Processor, target

_FLOATS = types.Array(types.float32, 1, 'C')
_SHORTS = types.Array(types.int16, 1, 'C')

ORIN = 'Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm asimddp\n'
NANO = 'Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32\n'  # Cortex-A57


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An Arm that LLVM doesn't know; what Linux lists of it goes into the file returned."""
    cpuinfo = tmp_path / 'cpuinfo'
    monkeypatch.setattr(processor, '_CPUINFO', cpuinfo)
    monkeypatch.setattr(processor, 'get_host_cpu_features', lambda: '+neon,+fp-armv8,+crc')
    monkeypatch.setattr(processor.llvm, 'get_host_cpu_name', lambda: 'generic')
    monkeypatch.setattr(processor.platform, 'machine', lambda: 'aarch64')
    monkeypatch.setattr(config, 'CPU_NAME', None)
    monkeypatch.setattr(config, 'CPU_FEATURES', None)
    return cpuinfo


def test_what_llvm_does_not_know_of_an_arm_linux_does(arm: Path) -> None:
    arm.write_text(f'processor\t: 0\n{ORIN}CPU part\t: 0xd42\n')
    found = target()
    assert found.is_richer
    assert found.features == {'neon', 'fp-armv8', 'crc', 'dotprod'}
    assert fitting(found) is SDOT


@pytest.mark.parametrize('listed', [NANO, 'asimddp\n', None])
def test_an_arm_whose_dot_product_is_not_listed_has_none(arm: Path, listed: str | None) -> None:
    if listed is not None:
        arm.write_text(listed)
    assert target() == Processor('aarch64', 'generic', frozenset({'neon', 'fp-armv8', 'crc'}))
    assert fitting(target()) is SHORTS


@pytest.mark.parametrize(
    ('name', 'features', 'unit'),
    [
        ('cortex-a57', None, SHORTS),
        ('cortex-a78', None, SDOT),
        ('cortex-a78ae', '', SDOT),  # LLVM knows it from 19 on
        (None, '+neon', SHORTS),
        (None, '+neon,+dotprod', SDOT),
    ],
)
def test_numba_s_settings_come_before_what_linux_lists(
    arm: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    features: str | None,
    unit: Unit,
) -> None:
    arm.write_text(ORIN)
    monkeypatch.setattr(config, 'CPU_NAME', name)
    monkeypatch.setattr(config, 'CPU_FEATURES', features)
    assert fitting(target()) is unit
    assert target().is_richer == (unit is SDOT and name is not None)
    assert unit is SHORTS or 'dotprod' in target().features


@pytest.mark.parametrize(
    ('machine', 'features', 'has_halves'),
    [
        ('x86_64', {'avx', 'f16c'}, True),
        ('x86_64', {'f16c'}, False),  # NUMBA_ENABLE_AVX=0
        ('x86_64', set(), False),
        ('aarch64', set(), True),
        ('riscv64', {'avx', 'f16c'}, False),
    ],
)
def test_only_some_make_floats_of_halves(
    machine: str, features: set[str], has_halves: bool
) -> None:
    assert Processor(machine, 'generic', frozenset(features)).has_halves is has_halves


def test_halves_become_the_same_floats_without_the_instruction() -> None:
    @vectors.vector_code(_SHORTS, types.intp, _FLOATS)
    def widen(builder, halves, count, floats):  # type: ignore[no-untyped-def]
        with vectors.steps(builder, vectors.INDEX(0), count, 8) as index:
            bits = vectors.load(builder, halves, index, 8)
            vectors.store(builder, widened_halves(builder, bits), floats, index)

    @jit
    def call(halves, floats):  # type: ignore[no-untyped-def]
        widen(halves, halves.shape[0], floats)

    bits = np.arange(2**16, dtype=np.uint16)
    bits = bits[np.isfinite(bits.view(np.float16))]
    found = np.full(bits.size, np.nan, np.float32)
    call(bits.view(np.int16), found)
    expected = bits.view(np.float16).astype(np.float32)
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))
