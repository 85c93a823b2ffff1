from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.error_reconstruction import ErrorReconstruction, Scaling
from taolora_ros.evaluation.quantizers.inputs import Inputs
from taolora_ros.evaluation.quantizers.product import Product, truncated
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.training.augmentation import Disturbance


def fitted(scaling: Scaling, weights: DualPathWeights, calibration: Calibration) -> Product:
    return ErrorReconstruction(scaling, Inputs.FP16).fit(weights, calibration)


def output_error(layer: Product, weights: DualPathWeights, calibration: Calibration) -> float:
    """E‖x·(W − Q − A·B)‖² with half of the rows normal and half disturbed."""
    assert weights.dense is not None
    lost = weights.dense - layer.weight - layer.low_rank.product()
    return sum(
        0.5 * float(((x.astype(float) @ lost) ** 2).sum(axis=1).mean())
        for x in (calibration.normal, calibration.disturbed)
    )


def test_qera_is_the_best_of_its_rank_on_the_output(
    weights: DualPathWeights, calibration: Calibration
) -> None:
    qera = fitted(Scaling.AUTOCORRELATION, weights, calibration)
    lqer = fitted(Scaling.MEAN, weights, calibration)
    assert weights.dense is not None
    unscaled = dataclasses.replace(
        qera, low_rank=truncated(weights.dense - qera.weight, qera.low_rank.rank)
    )
    least = output_error(qera, weights, calibration)
    assert least < output_error(lqer, weights, calibration)
    assert least < output_error(unscaled, weights, calibration)


def test_inputs_of_one_size_leave_lqer_a_plain_svd(weights: DualPathWeights) -> None:
    rows = np.where(np.random.default_rng(2).random((50, 64)) < 0.5, -1, 1).astype(np.float32)
    alike = Calibration(normal=rows, transient={Disturbance.STEP: rows}, metric=np.ones(12))
    layer = fitted(Scaling.MEAN, weights, alike)
    assert weights.dense is not None
    plain = truncated(weights.dense - layer.weight, layer.low_rank.rank)
    np.testing.assert_allclose(layer.low_rank.product(), plain.product(), atol=2e-3)


@pytest.mark.parametrize('scaling', list(Scaling))
def test_padding_is_no_trouble(
    weights: DualPathWeights, calibration: Calibration, scaling: Scaling
) -> None:
    def padded(x: np.ndarray) -> np.ndarray:
        return np.where(np.arange(64) < 40, x, 0).astype(np.float32)

    empty = dataclasses.replace(
        calibration,
        normal=padded(calibration.normal),
        transient={kind: padded(x) for kind, x in calibration.transient.items()},
    )
    layer = fitted(scaling, weights, empty)
    assert np.isfinite(layer.low_rank.product()).all()
