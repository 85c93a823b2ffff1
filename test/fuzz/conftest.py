"""What every reader of what comes from outside has to hold, whatever it is given."""

from __future__ import annotations

import signal
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from taolora_ros.errors import TaoloraError

HANG_S = 30  # longer than any reader takes for these small inputs on a busy machine
LONGEST = 2000  # letters of an error; it names the file and lists what is known
FREE_BYTES = 1 << 20  # whatever the input's size, e.g. for generated code and caches


def _hang(number: int, frame: FrameType | None) -> None:
    raise AssertionError('the reader hangs')


@pytest.fixture(scope='session')
def survives() -> Callable[..., Any]:
    """Runs a reader; returns what it read or its error.

    The error is ours and one line, it comes in time, and memory stays within `factor` times the
    input's `size`.
    """

    def run(read: Callable[[], Any], *, size: int, factor: int) -> Any:
        before = signal.signal(signal.SIGALRM, _hang)
        signal.alarm(HANG_S)
        tracemalloc.start()
        try:
            result = read()
        except TaoloraError as error:
            result = error
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        if isinstance(result, TaoloraError):
            assert len(str(result).splitlines()) == 1
            assert len(str(result)) < LONGEST
        assert peak < FREE_BYTES + factor * size, f'{peak} bytes for an input of {size}'
        return result

    return run
