from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.detection.watch import WatchModel
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.quantizers.output_errors import Comparison, Probe
from taolora_ros.evaluation.quantizers.probes import normal_segments
from taolora_ros.evaluation.quantizers.recording import run
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import DualPathWeights, Layer, at_precision
from taolora_ros.samples import Recording


@pytest.fixture
def model(rotor_model: DetectorModel) -> WatchModel:
    return rotor_model.watch


@pytest.fixture
def probe(model: WatchModel, make_rotor: Callable[[float, int], Recording]) -> Probe:
    (rows,) = normal_segments(model, [make_rotor(8.0, 95)])
    tokens = np.arange(len(rows) // 4)
    return Probe(rows, is_routed=tokens % 5 == 0, is_event=tokens >= 150)


def test_fp32_has_no_error(model: WatchModel, probe: Probe) -> None:
    exact = at_precision(Precision.FP32, model.config.quantization.activation)
    found = Comparison(model, [probe]).errors(exact)
    assert found.whitened.steady == found.whitened.event == 0.0
    assert found.departure.event == found.residual.steady == 0.0
    assert all(error.steady == error.event == 0.0 for error in found.layers.values())


def test_errors_follow_their_definition(model: WatchModel, probe: Probe) -> None:
    exact = at_precision(Precision.FP32, model.config.quantization.activation)
    first_input = np.float32([0.5, 0.0, 0.0, 0.0])  # is all that goes wrong, on routed tokens

    def off(name: str, layer: DualPathWeights) -> Layer:
        inner = exact(name, layer)
        return lambda x, mask: inner(x, mask) + mask[:, None] * first_input

    found = Comparison(model, [probe]).errors(off)
    reference = run(model, exact, probe.rows, probe.is_routed)
    residual = (probe.rows - reference.prediction).astype(float)
    event, routed = np.repeat(probe.is_event, 4), np.repeat(probe.is_routed, 4)
    change = 0.5 * float(model.network.skip.spread[0])
    for rows, plain, whitened in (
        (~event, found.residual.steady, found.whitened.steady),
        (event, found.residual.event, found.whitened.event),
    ):
        power = change**2 * np.count_nonzero(rows & routed)
        assert plain == pytest.approx(np.sqrt(power / (residual[rows] ** 2).sum()), rel=1e-3)
        unit = np.sqrt((residual[~event] ** 2).mean(axis=0))
        whole = (residual[rows][:, unit > 1e-6] / unit[unit > 1e-6]) ** 2
        assert whitened == pytest.approx(np.sqrt(power / unit[0] ** 2 / whole.sum()), rel=1e-3)


def test_a_layer_alone_is_compared_with_its_own_output(model: WatchModel, probe: Probe) -> None:
    exact = at_precision(Precision.FP32, model.config.quantization.activation)

    def doubled(name: str, layer: DualPathWeights) -> Layer:
        inner = exact(name, layer)
        return lambda x, mask: inner(x, mask) * (2.0 if name == 'relation' else 1.0)

    found = Comparison(model, [probe]).errors(doubled)
    assert found.layers['relation'].steady == pytest.approx(1.0)
    assert found.layers['skip.linear'].event == 0.0
    assert found.departure.steady > 0.0
    assert found.residual.steady == 0.0
