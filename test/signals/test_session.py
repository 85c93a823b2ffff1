from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.signals.inputs import InputLayout
from taolora_ros.signals.session import TRACK_LIMIT, SessionPrior, fit_session_prior, shrinkage


def _sessions(offsets: list[float], noise: float = 1.0) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [offset + noise * generator.normal(size=(2000, 1)) for offset in offsets]


def test_a_level_that_differs_between_sessions_is_believed_from_the_warm_up() -> None:
    prior = fit_session_prior(_sessions([0.0, 10.0, -8.0, 4.0]), warmup_rows=100)
    assert prior.shrink[0] > 0.99
    rebased = prior.rebased(np.full((100, 1), 25.0))
    assert rebased[0] == pytest.approx(25.0, abs=0.3)


def test_a_cycle_longer_than_the_warm_up_is_not_mistaken_for_a_level() -> None:
    cycle = np.sin(np.linspace(0, 20 * np.pi, 8000))[:, None]
    prior = fit_session_prior([cycle, cycle[::-1]], warmup_rows=50)
    assert prior.shrink[0] < 0.2


def test_a_constant_channel_is_inactive_and_scales_to_zero() -> None:
    rows = np.concatenate(
        [np.full((500, 1), 3.0), np.random.default_rng(0).normal(size=(500, 1))], 1
    )
    prior = fit_session_prior([rows, rows], warmup_rows=50)
    assert prior.active.tolist() == [0.0, 1.0]
    layout = InputLayout(np.empty(0, np.int64), np.empty(0))
    row = np.array([[99.0, 0.0]])
    assert layout.inputs(prior, prior.location, row, np.zeros_like(row))[0, 0] == 0.0


def test_scale_is_the_deviation_within_sessions_not_across_them() -> None:
    prior = fit_session_prior(_sessions([0.0, 100.0, 200.0], noise=2.0), warmup_rows=100)
    assert prior.scale[0] == pytest.approx(2.0, rel=0.05)


def test_shrinkage_is_the_ratio_of_variances() -> None:
    # Medians 0, 2, 4 have variance 4; with a warm-up variance of 12 that is 4 / 16.
    medians = [np.array([0.0]), np.array([2.0]), np.array([4.0])]
    assert shrinkage(medians, np.array([12.0]), np.array([0.0]))[0] == pytest.approx(0.25)


def test_parts_of_one_session_share_its_location_and_believe_no_warm_up() -> None:
    prior = fit_session_prior(_sessions([0.0, 10.0, 20.0]), warmup_rows=0)
    assert prior.location[0] == pytest.approx(10.0, abs=0.1)
    assert prior.shrink[0] == 0.0
    assert prior.rebased(np.full((100, 1), 25.0))[0] == prior.location[0]
    # Levels of 0, 10 and 20 about 10 are part of what is normal: 200 / 3, and the noise.
    assert prior.scale[0] == pytest.approx(np.sqrt(200.0 / 3.0 + 1.0), rel=0.02)


def test_a_location_follows_the_mean_of_a_hop_by_no_more_than_three_deviations() -> None:
    prior = SessionPrior(np.zeros(3), np.array([1.0, 1.0, 2.0]), np.ones(3), np.ones(3))
    location = np.array([0.0, 5.0, 0.0])
    hop = np.array([[1.0, 5.0, -1e6], [3.0, 5.0, 0.0]])
    moved = prior.followed(location, hop, 0.1)
    # A tenth of 2, of nothing, and of three deviations of 2 downwards.
    assert moved.tolist() == pytest.approx([0.2, 5.0, -0.1 * TRACK_LIMIT * 2.0])
    assert location.tolist() == [0.0, 5.0, 0.0]  # the one before stays as it was
