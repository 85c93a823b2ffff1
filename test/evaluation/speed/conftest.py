"""A small network with a signal, for tests of what measures them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from taolora_ros.config import (
    Config,
    ModelConfig,
    QuantizationConfig,
    TrainingConfig,
    WindowConfig,
)
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.speed.detector_model import make_detector
from taolora_ros.evaluation.speed.workload import Workload, make_workload

SMALL = Config(
    window=WindowConfig(patch=4, length=32),  # 8 tokens
    model=ModelConfig(order=3, width=32, blocks=2, kernel=2, expansion=1),
    quantization=QuantizationConfig(rank=2),
    training=TrainingConfig(epochs=0),
)
INPUTS = 5


@pytest.fixture(scope='session')
def workload() -> Workload:
    return make_workload(60, config=SMALL, inputs=INPUTS, transient_share=0.3)


@pytest.fixture(scope='session')
def model(workload: Workload) -> DetectorModel:
    """A detector around that network."""
    return make_detector(workload.network)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def taking(self, *durations_ns: int) -> Callable[[], None]:
        """A call that takes so long, one duration after the other, over and over again."""
        repeated = itertools.cycle(durations_ns)

        def call() -> None:
            self.now_ns += next(repeated)

        return call


@pytest.fixture
def clock() -> Clock:
    return Clock()
