"""The low-rank path: reduced-rank regression from moments."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.quantization.low_rank import Moments, fit_low_rank, no_low_rank

ONES = np.ones(6)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_a_low_rank_map_is_found(rng: np.random.Generator) -> None:
    x = rng.normal(size=(500, 12))
    product = rng.normal(size=(12, 2)) @ rng.normal(size=(2, 6))
    fitted = fit_low_rank(Moments.of(x, x @ product), rank=2, ridge=1e-9, metric=ONES)
    np.testing.assert_allclose(fitted.product(), product, atol=1e-2)  # FP16 rounding of A and B
    assert fitted.down.dtype == fitted.up.dtype == np.float16


def test_no_other_map_of_that_rank_does_better(rng: np.random.Generator) -> None:
    x, lost = rng.normal(size=(300, 10)), rng.normal(size=(300, 6))
    moments = Moments.of(x, lost)
    fitted = fit_low_rank(moments, rank=2, ridge=1e-9, metric=ONES)
    full = np.linalg.lstsq(x, lost, rcond=None)[0]
    left, strength, right = np.linalg.svd(x @ full, full_matrices=False)
    best = left[:, :2] * strength[:2] @ right[:2]  # Eckart and Young on the fitted values
    least = np.square(lost - x @ full).sum() + np.square(x @ full - best).sum()
    assert moments.error(fitted, ONES) == pytest.approx(least, rel=1e-3)


@pytest.mark.parametrize('shape', [(40, 6), (4, 6)])
def test_wide_and_tall_layers_are_fitted_alike(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    x = rng.normal(size=(200, shape[0]))
    lost = x @ rng.normal(size=shape)
    moments = Moments.of(x, lost)
    full = fit_low_rank(moments, rank=99, ridge=1e-9, metric=ONES)
    assert full.rank == min(shape)
    assert moments.error(full, ONES) < 1e-4 * moments.power.sum()


def test_moments_of_parts_add_up(rng: np.random.Generator) -> None:
    x, lost = rng.normal(size=(50, 4)), rng.normal(size=(50, 6))
    whole, parts = (
        Moments.of(x, lost),
        Moments.of(x[:20], lost[:20]) + Moments.of(x[20:], lost[20:]),
    )
    np.testing.assert_allclose(whole.gram, parts.gram)
    np.testing.assert_allclose(whole.cross, parts.cross)


def test_error_from_moments_is_the_error_of_the_rows(rng: np.random.Generator) -> None:
    x, lost = rng.normal(size=(80, 5)), rng.normal(size=(80, 6))
    metric = rng.uniform(0.5, 2.0, 6)
    moments = Moments.of(x, lost)
    fitted = fit_low_rank(moments, rank=1, ridge=0.1, metric=metric)
    direct = np.square((lost - x @ fitted.product()) * metric).sum()
    assert moments.error(fitted, metric) == pytest.approx(direct)


def test_an_output_that_weighs_more_is_repaired_first(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 5))
    lost = x @ np.eye(5, 6)
    metric = np.array([1.0, 1.0, 9.0, 1.0, 1.0, 1.0])
    fitted = fit_low_rank(Moments.of(x, lost), rank=1, ridge=1e-9, metric=metric)
    left = np.square(lost - x @ fitted.product()).sum(axis=0) / np.square(lost).sum(axis=0).clip(1)
    assert left[2] < 0.01
    assert left[0] > 0.9


def test_inputs_that_never_moved_are_no_trouble() -> None:
    fitted = fit_low_rank(
        Moments.of(np.zeros((10, 4)), np.zeros((10, 6))), rank=2, ridge=1e-2, metric=ONES
    )
    assert np.isfinite(fitted.product()).all()


def test_rank_zero_adds_nothing() -> None:
    assert (no_low_rank(4, 6).product() == np.zeros((4, 6))).all()
