"""A real detector node as a process of its own: what it takes while messages come over DDS."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.speed.processes import Started, own_graph, started
from taolora_ros.monitoring import resident_mb

_DETECTOR, _REPLAY = 'taolora_ros.nodes.detector', 'taolora_ros.nodes.replay'
_PATIENCE_S = 180.0  # beyond the length of the bag, for the nodes to start and to find each other


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
        environment = stack.enter_context(own_graph(folder))

        def start(module: str, parameter: str, name: str) -> Started:
            arguments = ['--ros-args', '-p', parameter]
            return stack.enter_context(
                started(module, arguments, name=name, folder=folder, environment=environment)
            )

        detector = start(_DETECTOR, f'model:={artifact}', 'detector')
        replay = start(_REPLAY, f'bag:={bag}', 'replay')
        try:
            status = replay.process.wait(timeout=length_s + _PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise TaoloraError(
                f'the bag was not played to the detector within {length_s + _PATIENCE_S:.0f} s: '
                f'{detector.last_words()}'
            ) from None
        if status != 0 or detector.process.poll() is not None:
            failed = replay if status else detector
            raise TaoloraError(f'the {failed.name} node failed: {failed.last_words()}')
        return read_process(Path('/proc') / str(detector.process.pid))


def read_process(process: Path) -> ProcessMemory:
    """Memory and libraries of a process, from its folder in /proc."""
    lines = (process / 'maps').read_text(encoding='utf-8', errors='replace').splitlines()
    return ProcessMemory(
        rss_mb=resident_mb(process / 'status'),
        peak_mb=resident_mb(process / 'status', field='VmHWM'),
        libraries=frozenset(Path(line.split()[-1]).name for line in lines if '/' in line),
    )
