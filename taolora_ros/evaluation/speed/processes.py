"""Processes of ROS on a domain of their own: started, listened to line by line, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taolora_ros.errors import TaoloraError

_LEAVE_S = 20.0
_POLL_S = 0.5
_FIRST_PORT, _MOST_DOMAINS = 32768, 101  # as in ament's domain_coordinator


@dataclass(frozen=True, slots=True)
class Started:
    """A process that runs a module; what it logs goes to a file, what it finds to stdout."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def answer(self, beside: Sequence[Started] = ()) -> dict[str, Any]:
        """The next line of JSON that it prints; waits for it.

        Args:
            beside: processes that must not fail meanwhile.

        Raises:
            TaoloraError: it ended without, or one beside it failed; quotes its last words.
        """
        assert self.process.stdout is not None
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], _POLL_S)
            if ready:
                line = self.process.stdout.readline()
                with contextlib.suppress(ValueError):
                    said = json.loads(line)
                    if isinstance(said, dict):
                        return said
                if not line:
                    raise self.failure()
            for other in beside:
                if other.process.poll():
                    raise other.failure()

    def failure(self) -> TaoloraError:
        """That it ended too early."""
        return TaoloraError(f'the process {self.name} failed: {self.last_words()}')

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding='utf-8', errors='replace').split('\n')
        said = [line for line in lines if line.strip()]
        return said[-1] if said else 'it said nothing'

    def cpu_s(self) -> float:
        """CPU time that all its threads have taken so far, in s."""
        text = Path(f'/proc/{self.process.pid}/stat').read_text(encoding='ascii')
        fields = text.rpartition(')')[2].split()  # its name, in brackets, may hold spaces
        user, system = int(fields[11]), int(fields[12])
        return (user + system) / os.sysconf('SC_CLK_TCK')


@contextlib.contextmanager
def started(
    module: str,
    arguments: Sequence[object],
    *,
    name: str,
    folder: Path,
    environment: Mapping[str, str],
) -> Iterator[Started]:
    """Run a module as a process until the end of the block, which ends it by SIGINT.

    Args:
        module: e.g. 'taolora_ros.nodes.detector'.
        arguments: of its command line.
        name: of the process and its log.
        folder: where the log goes.
        environment: variables of the process.
    """
    command = [sys.executable, '-m', module, *map(str, arguments)]
    log = folder / f'{name}.txt'
    with (
        log.open('w') as file,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=file, text=True, env=dict(environment)
        ) as process,
    ):
        try:
            yield Started(name, process, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=_LEAVE_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def own_graph(folder: Path) -> Iterator[dict[str, str]]:
    """Variables of processes that talk on this machine alone, on a domain nobody else claimed.

    Args:
        folder: for the log files of ROS.

    Raises:
        TaoloraError: every domain is taken.
    """
    for domain in range(1, _MOST_DOMAINS):
        with socket.socket() as claim:
            try:
                claim.bind(('', _FIRST_PORT + domain))
            except OSError:
                continue
            yield {
                **os.environ,
                'ROS_DOMAIN_ID': str(domain),
                'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
                'ROS_LOG_DIR': str(folder),
            }
            return
    raise TaoloraError('every DDS domain from 1 to 100 is taken on this machine; try again later')
