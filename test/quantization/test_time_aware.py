"""Calibration of the steady activation scale."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.quantization.int4 import LARGEST
from taolora_ros.quantization.time_aware import fit_steady_scales


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_clip_lies_below_the_extremes_of_normal_data(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(5000, 64))
    scales = fit_steady_scales(rows, group=32)
    assert scales.shape == (2,)
    assert scales.dtype == np.float16
    clip = scales.astype(float) * LARGEST
    assert (clip > 1.5).all()
    assert (clip < np.abs(rows).max()).all()


def test_scale_follows_the_unit_of_a_group(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(2000, 32))
    one, ten = (fit_steady_scales(rows * unit, group=32)[0] for unit in (1.0, 10.0))
    assert ten == pytest.approx(10.0 * one, rel=2.0**-10)


def test_groups_that_never_move_have_a_positive_scale() -> None:
    assert (fit_steady_scales(np.zeros((10, 64)), group=32) > 0.0).all()


def test_an_input_without_weight_does_not_stretch_the_clip(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(2000, 32))
    rows[:, 5] *= 8.0
    importance = np.ones(32)
    importance[5] = 0.0
    ignored = fit_steady_scales(rows, group=32, importance=importance)
    counted = fit_steady_scales(rows, group=32)
    assert ignored[0] < 0.8 * counted[0]
