"""What multiplies integers: every unit against exact sums, and which one a processor gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir
from numba.core import types

from taolora_ros.kernels import vectors
from taolora_ros.kernels.dots import (
    AVX512_VNNI,
    AVX_VNNI,
    SDOT,
    SHORTS,
    TIMES,
    Unit,
    fitting,
)
from taolora_ros.kernels.dual_path_linear.cpu import prepare
from taolora_ros.kernels.dual_path_linear.cpu_product import Rows, emit_products
from taolora_ros.kernels.dual_path_linear.reference import Operands
from taolora_ros.kernels.jit import jit
from taolora_ros.kernels.processor import Processor, target

ROOT = Path(__file__).parents[2]
ARM = 'aarch64-unknown-linux-gnu'
AVX512 = ('avx512bw', 'avx512vl', 'avx512vnni')
# With AVX-512 a processor runs what AVX-VNNI has as well, by another name.
OWN = (AVX512_VNNI, AVX_VNNI, SHORTS) if target().has_avx512_vnni else (fitting(target()), SHORTS)

_FLOATS, _CODES = types.Array(types.float32, 1, 'C'), types.Array(types.int8, 1, 'C')
_KINDS = (
    *(_CODES, _FLOATS, types.intp, types.intp, types.intp),
    *(_CODES, _CODES, _FLOATS, _FLOATS, types.intp, _FLOATS),
)


def _product(unit: Unit) -> Callable[..., None]:
    def emit(builder: Any, *arguments: Any) -> None:
        emit_products(builder, unit, Rows(*arguments))

    emit.__qualname__ = unit.name
    code = vectors.vector_code(*_KINDS)(emit)

    @jit
    def product(q, s, rows, groups, size, w, sums, t, bias, outputs, y):  # type: ignore[no-untyped-def]
        code(q, s, rows, groups, size, w, sums, t, bias, outputs, y)

    return product


@pytest.mark.parametrize('unit', OWN, ids=lambda unit: unit.name)
def test_group_sums_are_exact_integers(unit: Unit) -> None:
    product, rng = _product(unit), np.random.default_rng(0)
    for rows, groups, size, outputs in (
        (1, 1, 8, 1),
        (5, 3, 16, 24),
        (9, 2, 32, 61),
        (4, 1, 64, 8),
        (7, 2, 256, 40),
    ):
        codes = rng.integers(-98, 99, (rows, groups, size))
        weights = rng.integers(-7, 8, (groups, size, outputs))
        if rows == 7:  # the largest sums there are
            codes[:], weights[:] = 98, 7
            codes[::2] = -98
        ones = np.ones((groups, outputs), np.float32)
        none = np.zeros((groups * size, 0), np.float32)
        bias = rng.integers(-5, 6, outputs).astype(np.float32)
        ready = prepare(Operands(weights.astype(np.float32), ones, none, none.T[:, :0], bias))
        y = np.full((rows, ready.bias.size), np.nan, np.float32)
        raised = (codes + unit.raised).astype(np.uint8).view(np.int8)
        scales = np.ones(rows * groups, np.float32)
        product(
            raised.reshape(-1), scales, rows, groups, size, ready.codes, ready.sums,
            ready.scales, ready.bias, ready.bias.size, y.reshape(-1),
        )  # fmt: skip
        expected = np.einsum('mgk,gkn->mn', codes, weights) + bias
        np.testing.assert_array_equal(y[:, :outputs], expected)


def test_weights_are_two_a_byte_and_scales_a_sixteenth() -> None:
    codes = np.zeros((1, 8, 1), np.float32)
    codes[0, :, 0] = 1, -1, 2, -2, 3, -3, 7, -7
    ones, none = np.ones((1, 1), np.float32), np.zeros((8, 0), np.float32)
    ready = prepare(Operands(codes, ones, none, np.zeros((0, 1), np.float32), ones[0]))
    # Of four bytes: inputs 0 to 3 in the low nibbles, 4 to 7 in the high ones.
    assert ready.codes[:4].view(np.uint8).tolist() == [0x31, 0xDF, 0x72, 0x9E]
    assert ready.codes.size == 8 * 4  # 1 output, padded to 8
    assert ready.sums.view(np.int16).tolist() == [0] * 8
    assert ready.scales[0] == 1.0 / TIMES


@pytest.mark.parametrize(
    ('machine', 'name', 'features', 'unit'),
    [
        ('x86_64', 'znver4', AVX512, AVX512_VNNI),
        ('AMD64', 'alderlake', ('avx2', 'avxvnni'), AVX_VNNI),
        ('x86_64', 'haswell', ('avx2', 'fma'), SHORTS),
        ('x86_64', 'knl', ('avx512vnni',), SHORTS),
        ('aarch64', 'generic', ('neon', 'dotprod'), SDOT),
        ('arm64', 'apple-m1', (), SDOT),
        ('aarch64', 'cortex-a78', (), SDOT),
        ('aarch64', 'cortex-a57', ('neon',), SHORTS),
        ('riscv64', 'generic', ('dotprod',), SHORTS),
    ],
)
def test_a_processor_gets_the_widest_unit_that_it_has(
    machine: str, name: str, features: tuple[str, ...], unit: Unit
) -> None:
    assert fitting(Processor(machine, name, frozenset(features))) is unit


@pytest.mark.parametrize(
    ('settings', 'unit'),
    [
        ({'NUMBA_CPU_FEATURES': '+avx2,-avx512vnni'}, 'int16'),
        ({'NUMBA_CPU_FEATURES': '+avx512bw,+avx512vl,+avx512vnni,-avx512vnni'}, 'int16'),
        ({'NUMBA_CPU_NAME': 'generic'}, 'int16'),
        ({'NUMBA_ENABLE_AVX': '0'}, 'int16'),
        ({'NUMBA_CPU_NAME': 'generic', 'NUMBA_CPU_FEATURES': '+avxvnni'}, 'avx-vnni'),
    ],
    ids=str,
)
def test_numba_s_settings_name_the_processor(settings: dict[str, str], unit: str) -> None:
    if not target().is_x86:
        pytest.skip('features of x86 processors')
    command = (
        'from taolora_ros.kernels.dots import UNIT; '
        'from taolora_ros.kernels.jit import source_stamp; print(UNIT.name, source_stamp())'
    )
    found = [_run('-c', command, **part).split() for part in (settings, {})]
    assert found[0][0] == unit
    assert found[0][1] != found[1][1], 'what was compiled for one is no good for another'


@pytest.mark.parametrize(
    ('features', 'name'),
    [
        ('+sse4.2,+avx,+avx2,+fma,+f16c', '3 and (channels or rank or dense) or to_the_bit'),
        ('', '3 and inputs and rank'),
    ],
    ids=['avx2', 'baseline'],
)
def test_without_such_instructions_a_hop_is_what_the_reference_says(
    features: str, name: str
) -> None:
    if features and not target().is_x86:
        pytest.skip('features of x86 processors')
    chosen = f'{ROOT}/test/kernels/test_stream_step.py'
    out = _run(
        *('-m', 'pytest', '-n', '0', '-p', 'no:cacheprovider', chosen),
        *('-k', f'what_the_reference_says and {name}'),
        NUMBA_CPU_NAME='generic',
        NUMBA_CPU_FEATURES=features,
    )
    assert re.search(r'\b1?\d passed', out), out


def test_an_arm_s_code_takes_the_dot_product_of_bytes() -> None:
    # Passes of 16 and 8 outputs for one row and for two, each of 4 outputs and 4 inputs.
    assert _assembly(SDOT, ARM, 'cortex-a78').count('sdot') == 2 * (4 + 2 + 8 + 4)
    # A Jetson Orin, as LLVM before 19 knows it and doesn't: the function's own features have it.
    asked = frozenset({'neon', 'fp-armv8', 'dotprod'})
    for name in ('generic', 'cortex-a78ae'):
        code = _assembly(SDOT, ARM, name, asked=asked)
        assert code.count('sdot') == 2 * (4 + 2 + 8 + 4)


def test_an_arm_without_it_multiplies_shorts() -> None:
    code = _assembly(SHORTS, ARM, 'cortex-a57')
    assert 'sdot' not in code
    assert re.search(r'\bmla\s+v\d+\.8h', code)


def test_avx_vnni_needs_no_avx_512() -> None:
    code = _assembly(AVX_VNNI, 'x86_64-unknown-linux-gnu', 'alderlake')
    assert '{vex}\tvpdpbusd' in code
    assert 'zmm' not in code


def _assembly(unit: Unit, triple: str, name: str, asked: frozenset[str] = frozenset()) -> str:
    """What a product becomes on another processor, or skips where LLVM doesn't know it."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        family = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f'this LLVM has no {triple}')
    module = ir.Module()
    module.triple = triple
    pointers = {True: vectors.FLOAT.as_pointer(), False: vectors.INT8.as_pointer()}
    given = [
        pointers[kind is _FLOATS] if isinstance(kind, types.Array) else vectors.INDEX
        for kind in _KINDS
    ]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), given), 'product')
    if asked:
        vectors.ask_for(function, asked)
    builder = ir.IRBuilder(function.append_basic_block())
    emit_products(builder, unit, Rows(*function.args))
    builder.ret_void()
    parsed = llvm.parse_assembly(str(module))
    code: str = family.create_target_machine(cpu=name, opt=3).emit_assembly(parsed)
    return code


def _run(*arguments: str, **settings: str) -> str:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])])
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': path, **settings},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
