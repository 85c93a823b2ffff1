"""What every baseline promises, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.errors import CalibrationError
from taolora_ros.evaluation.baselines.catalog import BASELINES
from taolora_ros.evaluation.baselines.scorer import Scorer

NAMES = tuple(BASELINES)
INFORMED = tuple(name for name in NAMES if name != 'random')


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def machine(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Three channels that swing together, each with noise of its own: `[rows, 3]`."""
    swing = np.sin(np.arange(rows) / 9 + rng.uniform(0, 6))
    return np.outer(swing, [1.0, -2.0, 0.5]) + rng.normal(0, 0.2, (rows, 3)) + [0, 5, -3]


def fitted(name: str, *recordings: np.ndarray, seed: int = 0) -> Scorer:
    scorer = BASELINES[name](seed=seed)
    scorer.fit(recordings)
    return scorer


def test_the_catalog_holds_the_rows_of_the_table() -> None:
    assert set(INFORMED) == {
        'moving_variance',
        'ridge_autoregression',
        'windowed_mahalanobis',
        'pca',
        'isolation_forest',
        'nearest_patches',
    }


@pytest.mark.parametrize('name', NAMES)
def test_later_rows_do_not_change_earlier_scores(name: str, rng: np.random.Generator) -> None:
    scorer = fitted(name, machine(300, rng), machine(150, rng))
    rows = machine(200, rng)
    scores = scorer.scores(rows)
    other = rows.copy()
    other[120:] = 40 * rng.normal(size=(80, 3))
    np.testing.assert_allclose(scorer.scores(other)[:120], scores[:120], rtol=1e-6)
    for known in (1, 20, 77):
        np.testing.assert_allclose(scorer.scores(rows[:known]), scores[:known], rtol=1e-6)


@pytest.mark.parametrize('name', NAMES)
def test_same_seed_gives_the_same_scores(name: str, rng: np.random.Generator) -> None:
    train, rows = machine(300, rng), machine(100, rng)
    first, second = (fitted(name, train, seed=3) for _ in range(2))
    scores = first.scores(rows)
    np.testing.assert_array_equal(second.scores(rows), scores)
    np.testing.assert_array_equal(first.scores(rows), scores)


@pytest.mark.parametrize('name', INFORMED)
def test_a_burst_scores_above_the_normal_rows_before_it(
    name: str, rng: np.random.Generator
) -> None:
    scorer = fitted(name, machine(600, rng), machine(300, rng))
    rows = machine(300, rng)
    rows[200:260] += rng.normal(0, 2.0, (60, 3))
    scores = scorer.scores(rows)
    assert np.median(scores[200:260]) > scores[:200].max()


@pytest.mark.parametrize('name', INFORMED)
def test_a_constant_channel_counts_for_nothing(name: str, rng: np.random.Generator) -> None:
    train, rows = machine(300, rng), machine(100, rng)
    still = np.full((300, 1), 0.1)  # whose mean is not 0.1 to the last bit
    changed = np.linspace(0, 9, 100)[:, None]
    scores = fitted(name, train).scores(rows)
    wider = fitted(name, np.hstack((still, train))).scores(np.hstack((changed, rows)))
    np.testing.assert_allclose(wider, scores, rtol=1e-6)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('rows', [0, 1, 5, 41, 42, 43, 120])  # the longest view is 42
def test_scores_of_any_length_are_finite(name: str, rows: int, rng: np.random.Generator) -> None:
    scores = fitted(name, machine(300, rng), machine(7, rng)).scores(machine(rows, rng))
    assert scores.shape == (rows,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize(
    'train',
    [
        np.random.default_rng(1).normal(size=(300, 1)),
        np.full((300, 1), 0.1),
        np.hstack((np.zeros((300, 1)), np.arange(300.0)[:, None])),  # foretold exactly
        np.repeat(np.random.default_rng(2).normal(size=(300, 1)), 3, axis=1),  # of rank 1
        np.array([[1.0], [2.0], [4.0]]),
        np.array([[1.0, 2.0]]),
    ],
    ids=['one channel', 'constant', 'straight line', 'three times the same', 'short', 'one row'],
)
def test_poor_normal_data_still_gives_finite_scores(name: str, train: np.ndarray) -> None:
    scorer = fitted(name, train)
    rows = np.random.default_rng(5).normal(0, 9, (90, train.shape[1]))
    assert np.isfinite(scorer.scores(rows)).all()


@pytest.mark.parametrize('name', NAMES)
def test_no_normal_rows_are_refused(name: str) -> None:
    for nothing in ((), (np.zeros((0, 2)),)):
        with pytest.raises(CalibrationError, match='no normal row'):
            fitted(name, *nothing)
