from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.speed.workload import DEFAULT, Workload, bursts, signal


def test_the_default_is_the_network_that_the_targets_speak_of() -> None:
    assert DEFAULT.window.patch == 8
    assert DEFAULT.window.length == 64 * 8
    assert (DEFAULT.model.width, DEFAULT.model.blocks, DEFAULT.model.order) == (128, 3, 10)


def test_a_workload_is_a_network_with_a_correction_and_its_signal(workload: Workload) -> None:
    assert workload.network.correction is not None
    assert workload.network.inputs == 5
    assert workload.patches.shape == (60, 4, 5)
    assert workload.is_transient.shape == (60,)
    assert 0 < workload.is_transient.sum() < 60
    assert workload.settings()['transient_tokens'] == workload.is_transient.sum()


def test_no_layer_lacks_what_a_trained_one_has(workload: Workload) -> None:
    for name, layer in workload.network.layers().items():
        assert layer.dense is not None
        assert layer.low_rank.rank > 0, name
        assert layer.bias.any() == name.startswith('correction.'), name


def test_the_signal_has_unit_variance() -> None:
    rows = signal(np.random.default_rng(0), 2000, 7)
    assert rows.shape == (2000, 7)
    assert rows.std(axis=0) == pytest.approx(1.0, abs=1e-5)


def test_transients_come_in_bursts_of_the_share_asked_for() -> None:
    mask = bursts(np.random.default_rng(0), 100_000, 0.1)
    assert mask.mean() == pytest.approx(0.1, abs=0.01)
    onsets = np.count_nonzero(np.diff(mask.astype(int)) == 1)
    assert mask.sum() / onsets == pytest.approx(5.0, rel=0.15)  # bursts that touch are one


def test_a_share_of_0_is_steady_throughout() -> None:
    assert not bursts(np.random.default_rng(0), 100, 0.0).any()
