"""Several processes, each on one thread, so that two cores serve two detectors."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar('T')

# Told the stage, how many of its jobs are done, and how many there are.
Progress = Callable[[str, int, int], None]

_THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')


class Workers:
    """Runs jobs side by side; a context manager."""

    def __init__(self, count: int, progress: Progress) -> None:
        """Settings.

        Args:
            count: processes; with 1, jobs run in this one.
            progress: told what is done.
        """
        self._count = count
        self._progress = progress
        self._pool: ProcessPoolExecutor | None = None
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Workers:
        if self._count > 1:
            # Libraries read these when they are loaded, so they have to be there before.
            self._before = {name: os.environ.get(name) for name in _THREADS}
            os.environ.update(dict.fromkeys(_THREADS, '1'))
            self._pool = ProcessPoolExecutor(
                self._count, mp_context=multiprocessing.get_context('spawn')
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def map(
        self, stage: str, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]
    ) -> list[T]:
        """What a function gives for each job, in their order.

        Args:
            stage: what it is called in the progress.
            function: at the top of a module, so that a process can find it.
            jobs: its arguments.
        """
        self._progress(stage, 0, len(jobs))
        if self._pool is None:
            results = []
            for done, job in enumerate(jobs, start=1):
                results.append(function(*job))
                self._progress(stage, done, len(jobs))
            return results
        futures: list[Future[T]] = [self._pool.submit(function, *job) for job in jobs]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()  # the first failure ends it all
            self._progress(stage, done, len(jobs))
        return [future.result() for future in futures]
