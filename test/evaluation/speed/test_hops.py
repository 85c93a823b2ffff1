from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.speed.hops import OneStream, stepping, stepping_together
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Bools, Float32s


class Told:
    """Remembers what it was given, as one stream or as many."""

    def __init__(self) -> None:
        self.tokens: list[tuple[Float32s, bool]] = []
        self.prediction: Float32s = np.full((1, 4, 5), 7.0, np.float32)

    def step(self, patches: Float32s, is_transient: Bools) -> None:
        self.tokens += zip(patches.copy(), is_transient.tolist(), strict=True)


class ToldOne:
    """Remembers the mask of each patch."""

    def __init__(self) -> None:
        self.masks: list[bool] = []

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        self.masks.append(is_transient)
        return patch


def test_tokens_come_in_order_and_begin_again(workload: Workload) -> None:
    engine = ToldOne()
    call = stepping(engine, workload)
    for _ in range(61):
        call()
    expected = workload.is_transient.tolist()
    assert engine.masks == [*expected, expected[0]]


def test_many_streams_have_a_token_each(workload: Workload) -> None:
    engine = Told()
    stepping_together(engine, workload, 3)()
    assert [mask for _, mask in engine.tokens] == workload.is_transient[:3].tolist()
    np.testing.assert_array_equal([patch for patch, _ in engine.tokens], workload.patches[:3])


def test_an_engine_of_many_streams_serves_as_one_of_one(workload: Workload) -> None:
    engine = Told()
    prediction = OneStream(engine).step(workload.patches[0], True)
    assert prediction.tolist() == np.full((4, 5), 7.0).tolist()
    ((patch, mask),) = engine.tokens
    assert mask is True
    np.testing.assert_array_equal(patch, workload.patches[0])
