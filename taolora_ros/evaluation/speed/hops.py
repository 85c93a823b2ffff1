"""What all engines and peers of one stream have in common, and how they are called in a bench."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol

import numpy as np

from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Bools, Float32s


class Hops(Protocol):
    """Takes one patch a hop."""

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]` from what came before each of its rows."""


class Streams(Protocol):
    """Takes one patch of each of its streams a hop."""

    prediction: Float32s  # [S, P, I], overwritten by each step

    def step(self, patches: Float32s, is_transient: Bools) -> None:
        """Take patches `[S, P, I]` in, with their mask `[S]`."""


class OneStream:
    """An engine of many streams, made for one, as the engine of one."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._mask = np.zeros(1, bool)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]` from what came before each of its rows."""
        self._mask[0] = is_transient
        self._streams.step(patch[None], self._mask)
        prediction: Float32s = self._streams.prediction[0]
        return prediction


def stepping(hops: Hops, workload: Workload) -> Callable[[], object]:
    """A call that takes the workload's next token, over and over again."""
    tokens = itertools.cycle(zip(workload.patches, map(bool, workload.is_transient), strict=True))

    def call() -> object:
        patch, is_transient = next(tokens)
        return hops.step(patch, is_transient)

    return call


def stepping_together(streams: Streams, workload: Workload, count: int) -> Callable[[], object]:
    """A call that takes one hop of so many streams, each with a token of its own."""
    patches = np.ascontiguousarray(workload.patches[:count])
    is_transient = np.ascontiguousarray(workload.is_transient[:count])
    return lambda: streams.step(patches, is_transient)
