"""A real detector node as a process of its own: what it takes while messages come over DDS."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.errors import TaoloraError
from taolora_ros.monitoring import resident_mb

_DETECTOR, _REPLAY = 'taolora_ros.nodes.detector', 'taolora_ros.nodes.replay'
_PATIENCE_S = 180.0  # beyond the length of the bag, for the nodes to start and to find each other
_LEAVE_S = 20.0
_FIRST_PORT, _MOST_DOMAINS = 32768, 101  # as in ament's domain_coordinator


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """A process after it has worked off a bag."""

    rss_mb: float  # resident, MB of 10⁶ bytes
    peak_mb: float  # most that was ever resident
    libraries: frozenset[str]  # names of the files that are mapped, e.g. 'libtorch_cpu.so'

    @property
    def has_torch(self) -> bool:
        """Whether torch is loaded."""
        return any(name.startswith('libtorch') for name in self.libraries)

    @property
    def has_compiler(self) -> bool:
        """Whether Numba's compiler is loaded, with which the CPU engine runs."""
        return any(name.startswith('libllvmlite') for name in self.libraries)


def watch_detector(artifact: Path, bag: Path, *, folder: Path, length_s: float) -> ProcessMemory:
    """Start a detector, play a bag to it on a domain of its own, and look at the process.

    Args:
        artifact: what it detects with.
        bag: what it sees.
        folder: for the output of both processes.
        length_s: of the bag.

    Raises:
        TaoloraError: one of the two failed; quotes its last words.
    """
    with contextlib.ExitStack() as stack:
        domain = stack.enter_context(_own_domain())
        environment = {
            **os.environ,
            'ROS_DOMAIN_ID': str(domain),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_LOG_DIR': str(folder),
        }
        detector = stack.enter_context(
            _node(_DETECTOR, f'model:={artifact}', folder / 'detector.txt', environment)
        )
        replay = stack.enter_context(
            _node(_REPLAY, f'bag:={bag}', folder / 'replay.txt', environment)
        )
        try:
            status = replay.wait(timeout=length_s + _PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise TaoloraError(
                f'the bag was not played to the detector within {length_s + _PATIENCE_S:.0f} s: '
                f'{_last_words(folder / "detector.txt")}'
            ) from None
        if status != 0 or detector.poll() is not None:
            name = 'replay' if status else 'detector'
            raise TaoloraError(f'the {name} node failed: {_last_words(folder / f"{name}.txt")}')
        return read_process(Path('/proc') / str(detector.pid))


def read_process(process: Path) -> ProcessMemory:
    """Memory and libraries of a process, from its folder in /proc."""
    lines = (process / 'maps').read_text(encoding='utf-8', errors='replace').splitlines()
    return ProcessMemory(
        rss_mb=resident_mb(process / 'status'),
        peak_mb=resident_mb(process / 'status', field='VmHWM'),
        libraries=frozenset(Path(line.split()[-1]).name for line in lines if '/' in line),
    )


@contextlib.contextmanager
def _own_domain() -> Iterator[int]:
    """A DDS domain that nobody else on this machine has claimed, for as long as it is needed."""
    for domain in range(1, _MOST_DOMAINS):
        with socket.socket() as claim:
            try:
                claim.bind(('', _FIRST_PORT + domain))
            except OSError:
                continue
            yield domain
            return
    raise TaoloraError('every DDS domain from 1 to 100 is taken on this machine; try again later')


@contextlib.contextmanager
def _node(
    module: str, parameter: str, output: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, '-m', module, '--ros-args', '-p', parameter]
    with output.open('wb') as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=_LEAVE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_words(output: Path) -> str:
    lines = output.read_text(encoding='utf-8', errors='replace').split('\n')
    said = [line for line in lines if line.strip()]
    return said[-1] if said else 'it said nothing'
