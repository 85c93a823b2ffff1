from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.logging import FIELDS
from taolora_ros.model.fallback import Fallback, settling_hops
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.samples import Float32s

Make = Callable[..., NetworkWeights]


class FailingDevice:
    """A network on a device that goes away at one call, as a launch does that finds no GPU."""

    def __init__(self, weights: NetworkWeights, *, fails_at: str, after: int = 0) -> None:
        self._network = Network(weights)
        self._fails_at = fails_at
        self._left = after
        self.calls_since = 0

    def _call(self, name: str) -> None:
        if name == self._fails_at:
            self._left -= 1
        if self._left < 0:
            self.calls_since += 1
            raise RuntimeError('CUDA error: device lost')

    def reset(self) -> None:
        self._call('reset')
        self._network.reset()

    def clip_share(self, patch: Float32s) -> float:
        self._call('clip_share')
        return self._network.clip_share(patch)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        prediction = self._network.step(patch, is_transient)  # its state has moved on already
        patch[:] = np.nan  # whatever a failing device leaves behind
        self._call('step')
        return prediction


def _patches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[first : first + 4].copy() for first in range(0, len(rows), 4)]


def _run(engine: Fallback | Network, rows: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Predictions of all patches, every third one transient, and their clip shares."""
    predictions, shares = [], []
    for index, patch in enumerate(_patches(rows)):
        shares.append(engine.clip_share(patch))
        predictions.append(engine.step(patch, index % 3 == 0))
    return np.stack(predictions), shares


@pytest.mark.parametrize('fails_at', ['step', 'clip_share'])
@pytest.mark.parametrize('after', [0, 1, 5, 37, 39])
def test_no_prediction_is_lost_wherever_the_device_fails(
    weights: NetworkWeights, rows: np.ndarray, fails_at: str, after: int
) -> None:
    device = FailingDevice(weights, fails_at=fails_at, after=after)
    engine = Fallback(lambda: device, Network(weights), hops=settling_hops(weights.config))
    predictions, shares = _run(engine, rows)
    expected, expected_shares = _run(Network(weights), rows)
    np.testing.assert_array_equal(predictions, expected)
    assert shares == expected_shares
    assert device.calls_since == 1


@pytest.mark.parametrize(('order', 'blocks'), [(1, 0), (10, 0), (10, 1), (25, 2), (10, 3)])
def test_the_hops_remembered_are_all_that_the_state_depends_on(
    make: Make, order: int, blocks: int
) -> None:
    weights = make(order=order, blocks=blocks)
    hops = settling_hops(weights.config)
    rows = np.random.default_rng(4).normal(size=(4 * (hops + 12), 5)).astype(np.float32)
    device = FailingDevice(weights, fails_at='step', after=hops + 8)
    engine = Fallback(lambda: device, Network(weights), hops=hops)
    np.testing.assert_array_equal(_run(engine, rows)[0], _run(Network(weights), rows)[0])


def test_a_relation_s_history_is_remembered_as_well(make: Make) -> None:
    config = make(order=1, blocks=0).config
    assert settling_hops(config) == 2 + 1  # 7 rows in patches of 4, and the one after


def test_a_memory_that_is_too_short_would_be_noticed(weights: NetworkWeights) -> None:
    rows = np.random.default_rng(4).normal(size=(160, 5)).astype(np.float32)
    device = FailingDevice(weights, fails_at='step', after=30)
    engine = Fallback(lambda: device, Network(weights), hops=2)
    difference = np.abs(_run(engine, rows)[0] - _run(Network(weights), rows)[0]).max(axis=(1, 2))
    assert difference[:30].max() == 0.0
    assert difference[30] > 0.0


def test_the_failure_is_said_loudly_and_once(
    weights: NetworkWeights, rows: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    device = FailingDevice(weights, fails_at='step', after=3)
    engine = Fallback(lambda: device, Network(weights), hops=settling_hops(weights.config))
    assert engine.failure == ''
    with caplog.at_level(logging.INFO, logger='taolora_ros'):
        _run(engine, rows)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert engine.failure == 'RuntimeError: CUDA error: device lost'
    assert getattr(record, FIELDS)['reason'] == engine.failure


def test_a_segment_that_begins_anew_forgets_the_hops_before_it(
    weights: NetworkWeights, rows: np.ndarray
) -> None:
    device = FailingDevice(weights, fails_at='step', after=45)
    engine = Fallback(lambda: device, Network(weights), hops=settling_hops(weights.config))
    _run(engine, rows)
    engine.reset()
    np.testing.assert_array_equal(_run(engine, rows)[0], _run(Network(weights), rows)[0])
    assert engine.failure


def test_a_device_that_fails_at_a_reset_is_given_up(
    weights: NetworkWeights, rows: np.ndarray
) -> None:
    device = FailingDevice(weights, fails_at='reset')
    engine = Fallback(lambda: device, Network(weights), hops=settling_hops(weights.config))
    _run(engine, rows)
    engine.reset()
    np.testing.assert_array_equal(_run(engine, rows)[0], _run(Network(weights), rows)[0])
    engine.reset()
    assert device.calls_since == 1


def test_a_device_that_cannot_be_brought_up_is_given_up_at_once(
    weights: NetworkWeights, rows: np.ndarray
) -> None:
    def make() -> Network:
        raise RuntimeError('CUDA error: out of memory')

    engine = Fallback(make, Network(weights), hops=1)
    assert engine.failure == 'RuntimeError: CUDA error: out of memory'
    np.testing.assert_array_equal(_run(engine, rows)[0], _run(Network(weights), rows)[0])


def test_an_interrupt_is_no_failure_of_the_device(weights: NetworkWeights) -> None:
    class Interrupted(Network):
        def step(self, patch: Float32s, is_transient: bool) -> Float32s:
            raise KeyboardInterrupt

    engine = Fallback(lambda: Interrupted(weights), Network(weights), hops=1)
    with pytest.raises(KeyboardInterrupt):
        engine.step(np.zeros((4, 5), np.float32), False)
    assert engine.failure == ''
