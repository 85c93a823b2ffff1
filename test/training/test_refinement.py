"""A layer refined by gradient with straight-through rounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.config import QuantizationConfig
from taolora_ros.kernels.rotate.reference import rotate, units
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import Int4Weight, pack, unpack
from taolora_ros.quantization.low_rank import no_low_rank
from taolora_ros.samples import Floats
from taolora_ros.training.augmentation import Disturbance
from taolora_ros.training.layer_fit import fit_layer, rotated_weight
from taolora_ros.training.refinement import LEAST_GAIN, Rows, loss, refine_layer, split

INPUTS, OUTPUTS, GROUP = 16, 8, 8
SETTINGS = QuantizationConfig(group=GROUP, rank=2)
METRIC = np.ones(OUTPUTS)


def _rows(rng: np.random.Generator) -> Rows:
    """Correlated inputs; two kinds of disturbance, one strong and one broad."""
    mixing = rng.normal(size=(6, INPUTS))

    def sample(count: int) -> Floats:
        return rng.normal(size=(count, 6)) @ mixing + 0.1 * rng.normal(size=(count, INPUTS))

    spikes = sample(600)
    spikes[:, 3] += 20.0
    return Rows(
        normal=sample(4_096).astype(np.float32),
        transient={
            Disturbance.SPIKE: spikes.astype(np.float32),
            Disturbance.BURST: (5.0 * sample(600)).astype(np.float32),
        },
    )


def _layer(
    rng: np.random.Generator, settings: QuantizationConfig = SETTINGS
) -> tuple[DualPathWeights, Floats, Rows]:
    weight, rows = rng.normal(size=(INPUTS, OUTPUTS)), _rows(rng)
    layer = fit_layer(
        weight,
        np.zeros(OUTPUTS, np.float32),
        normal=rows.normal,
        transient=rows.transient,
        metric=METRIC,
        shares=np.arange(INPUTS),
        settings=settings,
    )
    return layer, weight, rows


def _refine(layer: DualPathWeights, weight: Floats, rows: Rows) -> DualPathWeights:
    return refine_layer(
        layer, weight, rows, metric=METRIC, settings=SETTINGS, step=2e-3, name='test'
    )


def _with_scales_off_by_a_fifth(layer: DualPathWeights) -> DualPathWeights:
    scales = layer.weight.scale_codes + np.int8(2)  # of eighths of an octave: 19 % too large
    return dataclasses.replace(
        layer,
        weight=Int4Weight(layer.weight.packed, scales),
        low_rank=no_low_rank(INPUTS, OUTPUTS),
    )


def test_a_layer_with_wrong_scales_gets_most_of_its_output_back() -> None:
    layer, weight, rows = _layer(np.random.default_rng(1))
    spoiled = _with_scales_off_by_a_fifth(layer)
    refined = _refine(spoiled, weight, rows)
    fresh = _rows(np.random.default_rng(1))  # outputs of full-precision inputs: weights alone
    target = fresh.normal @ weight

    def error(candidate: DualPathWeights) -> float:
        found = candidate.rotated(fresh.normal) @ candidate.weight.dense()
        return float(((target - found) ** 2).mean())

    assert error(refined) < 0.5 * error(spoiled)


@pytest.mark.parametrize('seed', range(4))
def test_the_kept_layer_is_never_worse_on_held_out_rows(seed: int) -> None:
    layer, weight, rows = _layer(np.random.default_rng(seed))
    kept = _refine(layer, weight, rows)
    _, held_out = split(rows.rotated(layer))
    rotated = rotated_weight(weight, layer.smoothing, GROUP)
    before = loss(layer, rotated, held_out, METRIC, SETTINGS)
    after = loss(kept, rotated, held_out, METRIC, SETTINGS)
    assert kept is layer or after < (1.0 - LEAST_GAIN) * before


def test_codes_stay_within_seven_and_scales_positive() -> None:
    layer, weight, rows = _layer(np.random.default_rng(2))
    spoiled = _with_scales_off_by_a_fifth(layer)
    refined = _refine(spoiled, weight, rows)
    assert refined is not spoiled
    codes = unpack(refined.weight.packed)
    assert codes.min() >= -7
    assert codes.max() <= 7
    assert (refined.weight.scales > 0).all()
    np.testing.assert_array_equal(pack(codes), refined.weight.packed)


def test_refining_twice_gives_the_same() -> None:
    first, second = (
        _refine(_with_scales_off_by_a_fifth(layer), weight, rows)
        for layer, weight, rows in (_layer(np.random.default_rng(3)) for _ in range(2))
    )
    for name, tensor in first.to_tensors().items():
        np.testing.assert_array_equal(tensor, second.to_tensors()[name], err_msg=name)


def test_a_layer_that_loses_nothing_stays_as_it_is() -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(-7, 8, size=(INPUTS, OUTPUTS)).astype(np.int8)
    codes[0] = 7
    rounded = rng.integers(-7, 8, size=(1_024, INPUTS)).astype(np.float32)
    large = rng.integers(-98, 99, size=(1_024, INPUTS)).astype(np.float32)
    large[:, 0] = 98.0  # the scale that follows the signal is 1 as well
    smooth = np.zeros(INPUTS, np.int8)
    # √16 is a whole number: rotating forth and back is exact, and gives the whole numbers again.
    normal, transient = (rotate(x, units(smooth, INPUTS), INPUTS) for x in (rounded, large))
    layer = DualPathWeights(
        smooth=smooth,
        shares=np.arange(INPUTS),
        weight=Int4Weight(pack(codes), np.zeros((1, OUTPUTS), np.int8)),
        steady=np.ones(1, np.float16),
        low_rank=no_low_rank(INPUTS, OUTPUTS),
        bias=np.zeros(OUTPUTS, np.float16),
    )
    rows = Rows(normal=normal, transient={Disturbance.STEP: transient})
    weight = rotated_weight(codes.astype(np.float64), smooth, INPUTS)
    assert _refine(layer, weight, rows) is layer


def test_held_out_rows_are_a_quarter_and_no_row_is_on_both_sides() -> None:
    normal = np.arange(4_096, dtype=np.float32)[:, None]
    fitted, held_out = split(Rows(normal=normal, transient={Disturbance.GAIN: normal[:8]}))
    assert len(held_out.normal) == 1_024
    assert not set(fitted.normal[:, 0]) & set(held_out.normal[:, 0])
    assert held_out.transient[Disturbance.GAIN][:, 0].tolist() == [6.0, 7.0]
