"""What the set-up says where a machine lacks something: one line, with the remedy."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
LOCK = ROOT / 'tools' / 'requirements' / 'lock.txt'


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of tools/ as a module; `monkeypatch` forgets it after the test."""
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(ROOT / 'tools')
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    return load('machine', monkeypatch)


def test_missing_tools_are_named_together_with_the_packages(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ('CC', 'CXX', 'MAKE')}
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'bootstrap.py'],
        env=kept | {'PATH': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ''
    assert done.stderr == (
        'error: missing: a C compiler, a C++ compiler, make; '
        'install: sudo apt install build-essential\n'
    )


@pytest.mark.parametrize('version', [(3, 9, 18), (3, 14, 0)])
def test_an_unsupported_python_is_refused(
    version: tuple[int, ...], machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'version_info', version)
    with pytest.raises(machine.SetupError, match=r'install Python 3\.10 to 3\.13'):
        machine.check_machine()


def test_another_architecture_needs_ros_installed(
    machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.platform, 'machine', lambda: 'aarch64')
    with pytest.raises(machine.SetupError, match='install ROS 2 and source'):
        machine.check_machine()


def test_a_sourced_ros_that_this_python_cannot_use_is_refused(
    machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, 'ROS_DISTRO', 'jazzy')
    monkeypatch.setattr(machine.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(machine.SetupError, match='finds no rclpy; source its'):
        machine.check_machine()


def test_a_missing_venv_module_names_its_package(
    machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, 'has_venv', lambda: False)
    version = '{}.{}'.format(*sys.version_info[:2])
    with pytest.raises(machine.SetupError, match=f'venv module.*apt install python{version}-venv'):
        machine.check_machine()


@pytest.mark.parametrize(
    ('output', 'said'),
    [
        (
            "WARNING: Retrying … after connection broken by 'NewConnectionError('<pip._vendor…"
            'ERROR: No matching distribution found for click==8.5.1',
            'no network: PyPI cannot be reached; connect, or set PIP_INDEX_URL to a mirror',
        ),
        (
            'ERROR: No matching distribution found for click==8.5.1',
            'no package index offers click==8.5.1; set PIP_INDEX_URL to one that does',
        ),
        ('OSError: [Errno 28] No space left on device', 'the disk is full; about 6 GB are needed'),
        (
            'CMake Error at CMakeLists.txt:4 (find_package):\n  By not providing "Findx.cmake"\n',
            'the build failed: By not providing "Findx.cmake"',
        ),
        ("msg.c:3:10: fatal error: 'x.h' not found", "the build failed: 'x.h' not found"),
        ('anything else', ''),
    ],
)
def test_a_failed_command_is_explained(machine: ModuleType, output: str, said: str) -> None:
    assert machine.diagnose(output) == said


def test_the_lock_pins_every_package_that_is_asked_for() -> None:
    pins = dict(re.findall(r'^([a-z0-9-]+)==(\S+)$', LOCK.read_text(encoding='utf-8'), re.M))
    for source in ('core.txt', 'test.txt', 'ros.txt'):
        text = (LOCK.parent / source).read_text(encoding='utf-8')
        for name, exact in re.findall(r'^([A-Za-z][\w-]*)(?:\[\w+\])?(?:==(\S+))?', text, re.M):
            assert name.lower() in pins, f'{source}: {name} is not locked; run make lock'
            assert not exact or pins[name.lower()] == exact


def test_editing_a_message_makes_its_build_pending(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bootstrap = load('bootstrap', monkeypatch)
    tree = ('CMakeLists.txt', 'package.xml', 'config', 'launch', 'msg', 'srv', 'tools')
    for name in tree:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    folders = {'ROOT': '.', 'VENV': 'venv', 'INSTALL': 'install', 'BUILD': 'build'}
    for name, folder in folders.items():
        monkeypatch.setattr(bootstrap, name, tmp_path / folder)
        (tmp_path / folder).mkdir(exist_ok=True)
    monkeypatch.setattr(bootstrap, 'REQUIREMENTS', tmp_path / 'tools' / 'requirements')
    assert len(bootstrap.pending()) == 2
    for step in bootstrap.pending():
        step.stamp.write_text(step.key, encoding='utf-8')
    assert bootstrap.pending() == []

    message = tmp_path / 'msg' / 'AnomalyScore.msg'
    message.write_text(message.read_text(encoding='utf-8') + '# more\n', encoding='utf-8')
    assert ['Messages' in step.title for step in bootstrap.pending()] == [True]

    with (tmp_path / 'tools' / 'requirements' / 'lock.txt').open('a') as lock:
        lock.write('more==1\n')
    with (tmp_path / 'tools' / 'requirements' / 'core.txt').open('a') as core:
        core.write('more\n')
    assert len(bootstrap.pending()) == 2
