from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from taolora_ros.simulation.faults import FaultKind
from taolora_ros.simulation.recording import Simulated, SimulationConfig, record

Paired = Callable[[FaultKind], tuple[Simulated, Simulated]]


@functools.cache
def _run(kind: FaultKind | None) -> Simulated:
    config = SimulationConfig(
        duration_s=26.0,
        kinds=() if kind is None else (kind,),
        count=None if kind is None else 1,
        strength=(0.3, 0.3),
        lead_s=4.0,
        spacing_s=5.0,
        seed=11,
    )
    return record(config, progress=lambda share: None)


@pytest.fixture(scope='session')
def normal() -> Simulated:
    """26 s of the arm at work, all well."""
    return _run(None)


@pytest.fixture(scope='session')
def paired() -> Paired:
    """The same 26 s with one weak fault of a kind, and without."""
    return lambda kind: (_run(kind), _run(None))
