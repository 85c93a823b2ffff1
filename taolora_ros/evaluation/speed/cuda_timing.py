"""Times on a GPU by CUDA events, several subjects in turn.

A subject's calls are captured in one CUDA graph, and a turn replays it between two events: what is
timed is the GPU's work, and not how fast Python enqueues it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from taolora_ros.evaluation.speed.timing import Times

_WARM_CALLS = 3  # before the capture: compilers and autotuners run here
_US_PER_MS = 1e3


def captured(call: Callable[[], object], calls: int = 1) -> torch.cuda.CUDAGraph:
    """So many calls as one CUDA graph.

    Args:
        call: works on fixed tensors and never waits for the device.
        calls: how many.
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_CALLS):
            call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(calls):
            call()
    return graph


def alternate_on_gpu(
    subjects: Mapping[str, torch.cuda.CUDAGraph], *, calls: int, rounds: int
) -> dict[str, Times]:
    """Time one replay of every subject in every round.

    Args:
        subjects: graphs by name.
        calls: that each graph holds; times are of one of them.
        rounds: turns of each.
    """
    names = list(subjects)
    took_us = {name: np.empty(rounds) for name in names}
    start, end = _event(), _event()
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            graph = subjects[name]
            graph.replay()  # another subject has just had the caches
            start.record()
            graph.replay()
            end.record()
            end.synchronize()
            took_us[name][number] = start.elapsed_time(end) * _US_PER_MS / calls
    return {name: Times(us) for name, us in took_us.items()}


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
