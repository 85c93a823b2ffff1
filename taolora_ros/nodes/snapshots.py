"""Snapshots: clips written as mcap bags in a thread of their own, within a share of the disk."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from taolora_ros.bags import BagWriter
from taolora_ros.errors import InputError, TaoloraError
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.logging import logger
from taolora_ros.nodes.options import SnapshotOptions
from taolora_ros.preservation.clips import Clip

PARTIAL = '.partial'  # folder of what is still being written
SPARE_BYTES = 1 << 20  # left free on the disk, and enough for the index of a bag
WAITING = 4  # clips that may wait for a slow disk
LATE_S = 5.0  # for which one clip may take before the disk is said to hang
_STAMPED = re.compile(r'_\d{8}T\d{6}\.\d{3}_(event\d+|asked)(_\d+)?$')
log = logger(__name__)


@dataclass(slots=True)
class SnapshotCounts:
    """What became of the clips."""

    written: int = 0
    failed: int = 0
    late: int = 0  # took longer than `LATE_S`, or still do
    waiting: int = 0  # for the disk
    removed: int = 0  # old ones that made room
    unknown: int = 0  # messages left out, because their type's definition is not at hand
    problem: str = ''  # of the last clip, or of the one being written; empty where all is well


@dataclass(slots=True, eq=False)
class Ticket:
    """A clip on its way to the disk."""

    clip: Clip
    path: Path
    is_done: threading.Event = field(default_factory=threading.Event)
    problem: str = ''


class SnapshotWriter:
    """Writes clips to `<directory>/<prefix>_<clip name>`; a bag appears there once it is whole.

    Only this class makes up names, so nothing that a message holds can choose a path. Only its
    thread touches the disk, so a disk that hangs, as a network's may, holds nothing else up.
    """

    def __init__(
        self,
        options: SnapshotOptions,
        *,
        prefix: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the thread.

        Args:
            options: where to, and how much.
            prefix: tells the bags of one detector from those of others, e.g. its node's name.
            clock: monotonic, in s.
        """
        self.directory = Path(options.directory).expanduser().absolute()
        self._prefix = re.sub(r'[^A-Za-z0-9]+', '_', prefix).strip('_')
        self._own = str(os.getpid())  # folder of what this process is still writing
        self._max_bytes = options.max_disk_mb * 1e6
        self._tickets: queue.Queue[Ticket | None] = queue.Queue(WAITING)
        self._registry = TypeRegistry()
        self._counts = SnapshotCounts()
        self._clock = clock
        self._busy_since_s: float | None = clock()  # None while the disk has nothing to do
        self._thread = threading.Thread(target=self._work, name='snapshots', daemon=True)
        self._thread.start()

    def path_of(self, name: str) -> Path:
        """Where a clip of that name is written."""
        return self.directory / f'{self._prefix}_{name}'

    def uri_of(self, name: str) -> str:
        """Where a clip of that name will be; empty while the disk hangs, since it may never be."""
        return '' if self._hangs() else self.path_of(name).as_uri()

    @property
    def counts(self) -> SnapshotCounts:
        """What became of the clips so far."""
        hangs, waiting = self._hangs(), self._tickets.qsize()
        problem = f'the disk hangs: {self.directory}, for longer than {LATE_S:g} s'
        return dataclasses.replace(
            self._counts,
            late=self._counts.late + hangs,
            waiting=waiting,
            problem=problem if hangs else self._counts.problem,
        )

    def submit(self, clip: Clip) -> Ticket:
        """Hand a clip over; it is refused while `WAITING` others wait for the disk."""
        ticket = Ticket(clip, self.path_of(clip.name))
        try:
            self._tickets.put_nowait(ticket)
        except queue.Full:
            self._fail(ticket, f'the disk is too slow: {WAITING} snapshots wait for it')
        return ticket

    def close(self, timeout_s: float) -> bool:
        """Write what waits, then end the thread; whether that was done in time.

        A slow disk is written to as long as the process lives. One that hangs, or for which more
        bags wait than may, is not waited for; what waits is given up, and counted.
        """
        deadline_s = time.monotonic() + timeout_s
        if not self._hangs():
            with contextlib.suppress(queue.Full):
                self._tickets.put(None, timeout=timeout_s)
                self._thread.join(max(0.0, deadline_s - time.monotonic()))
                return not self._thread.is_alive()
        state = 'hangs' if self._hangs() else 'is too slow'
        with contextlib.suppress(queue.Empty):
            while True:
                ticket = self._tickets.get_nowait()
                if ticket is not None:
                    self._fail(ticket, f'given up, since the disk {state}')
        self._tickets.put(None)
        return False

    def _hangs(self) -> bool:
        since_s = self._busy_since_s
        return since_s is not None and self._clock() - since_s > LATE_S

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            for left in (self.directory / PARTIAL / self._prefix).iterdir():
                if left.name != self._own:  # a writer before this one may still be at work
                    shutil.rmtree(left, ignore_errors=True)
        self._busy_since_s = None
        while (ticket := self._tickets.get()) is not None:
            try:
                self._write(ticket)
            except (OSError, TaoloraError) as error:
                self._fail(ticket, _reason(error))
            except Exception as error:  # whatever it is, the next snapshot has to be written
                self._fail(ticket, f'internal error: {type(error).__name__}: {error}')
            else:
                self._counts.written += 1
                self._counts.problem = ''
                log.info('snapshot written', path=ticket.path, messages=len(ticket.clip.messages))
                ticket.is_done.set()

    def _write(self, ticket: Ticket) -> None:
        self._busy_since_s = self._clock()
        try:
            self._write_bag(ticket)
        finally:
            hung, self._busy_since_s = self._hangs(), None
            self._counts.late += hung

    def _write_bag(self, ticket: Ticket) -> None:
        clip = ticket.clip
        partial = self.directory / PARTIAL / self._prefix / self._own / ticket.path.name
        if not clip.messages:
            raise InputError('no message has come yet')
        needed = sum(len(message.data) for message in clip.messages)
        self._make_room(needed)
        partial.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(partial.parent).free < needed + SPARE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.directory))
        try:
            types = {message.type_name for message in clip.messages}
            known = {name for name in types if _knows(self._registry, name)}
            with BagWriter(partial, self._registry) as bag:
                for message in clip.messages:
                    if message.type_name in known:
                        bag.write_raw(message)
                    else:
                        self._counts.unknown += 1
            partial.rename(ticket.path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _make_room(self, needed: int) -> None:
        """Remove the oldest bags of this detector until a new one fits.

        Raises:
            InputError: it would not fit if it were the only one.
        """
        if needed > self._max_bytes:
            raise InputError(
                f'{needed / 1e6:.1f} MB of messages exceed snapshots.max_disk_mb '
                f'({self._max_bytes / 1e6:g}); raise it, or shorten preservation.pre_s'
            )
        sizes = {path: _bytes_of(path) for path in self._bags()}
        used = sum(sizes.values())
        for path, size in sizes.items():
            if used + needed <= self._max_bytes:
                return
            shutil.rmtree(path)
            used -= size
            self._counts.removed += 1

    def _bags(self) -> list[Path]:
        """The bags of one detector, oldest first; nothing else in the folder is ever touched."""
        if not self.directory.is_dir():
            return []
        return sorted(
            path
            for path in self.directory.iterdir()
            if path.name.startswith(f'{self._prefix}_')
            and _STAMPED.fullmatch(path.name[len(self._prefix) :])
            and path.is_dir()
            and not path.is_symlink()
        )

    def _fail(self, ticket: Ticket, reason: str) -> None:
        self._counts.failed += 1
        self._counts.problem = ticket.problem = reason
        log.recurring('snapshot not written', key=reason, path=ticket.path, reason=reason)
        ticket.is_done.set()


def _knows(registry: TypeRegistry, type_name: str) -> bool:
    try:
        registry.definition_text(type_name)
    except InputError:
        return False
    return True


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f' ({error.filename})' if error.filename else ''
        return f'{error.strerror}{where}'
    return ' '.join(str(error).split())
