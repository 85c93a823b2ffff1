from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import RouterConfig
from taolora_ros.routing.router import OPEN_LIMITS, Router, RouterLimits, fit_limits
from taolora_ros.samples import Routing

PATCH = 4
HOP_S = 0.04
FLOOR = 1e-4


def _noise(tokens: int, seed: int = 0, inputs: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(tokens, PATCH, inputs))


def _calibrated(config: RouterConfig) -> Router:
    opened = Router(config, OPEN_LIMITS, HOP_S, 6)
    tokens = [opened.step(patch, 0.0) for patch in _noise(4000)]
    return Router(config, fit_limits([tokens[100:]], config, HOP_S), HOP_S, 6)


def test_steady_noise_stays_on_the_int4_path() -> None:
    router = _calibrated(RouterConfig())
    routes = [router.step(patch, 0.0).is_transient for patch in _noise(4000, seed=7)]
    assert np.mean(routes[100:]) < 0.02


def test_an_impact_is_a_transient_in_its_own_token() -> None:
    router = _calibrated(RouterConfig())
    for patch in _noise(500, seed=3):
        router.step(patch, 0.0)
    hit = _noise(1, seed=4)[0]
    hit[2, 5] += 12.0
    assert router.step(hit, 0.0).is_transient


def test_saturated_activations_alone_open_the_path() -> None:
    router = _calibrated(RouterConfig())
    assert router.step(_noise(1)[0], clip_share=0.9).is_transient


def test_noise_that_lasts_returns_to_the_int4_path() -> None:
    config = RouterConfig(baseline_s=4.0)
    router = _calibrated(config)
    for patch in _noise(500, seed=3):
        router.step(patch, 0.0)
    loud = [router.step(6.0 * patch, 0.0).is_transient for patch in _noise(3000, seed=5)]
    assert loud[1]
    assert np.mean(loud[-500:]) < 0.05


def test_frozen_baselines_do_not_follow_an_event() -> None:
    router = _calibrated(RouterConfig(baseline_s=1.0))
    for patch in _noise(500, seed=3):
        router.step(patch, 0.0)
    loud = [
        router.step(6.0 * patch, 0.0, is_frozen=True).is_transient for patch in _noise(600, seed=5)
    ]
    assert np.mean(loud[2:]) > 0.9


def test_the_mask_does_not_chatter_between_its_two_thresholds() -> None:
    limits = RouterLimits(variance_ratio=np.inf, energy_z=np.inf, clip_share=0.1)
    router = Router(RouterConfig(on=1.0, off=0.6, hold_s=0.08), limits, HOP_S, 1)
    still = np.zeros((PATCH, 1))
    shares = [0.0, 0.101, 0.09, 0.07, 0.09, 0.061, 0.09, 0.0, 0.0, 0.09]
    mask = [router.step(still, share).is_transient for share in shares]
    # On above 0.1, kept by anything above 0.06, off after two quiet hops; 0.09 doesn't reopen it.
    assert mask == [False, True, True, True, True, True, True, True, False, False]


def test_variance_ratio_of_a_ninefold_variance_is_about_nine() -> None:
    router = Router(RouterConfig(baseline_s=400 * HOP_S), OPEN_LIMITS, HOP_S, 1)
    for patch in _noise(4000, inputs=1):
        router.step(patch, 0.0)
    loud = [
        router.step(3.0 * patch, 0.0, is_frozen=True).variance_ratio
        for patch in _noise(2000, 2, inputs=1)
    ]
    assert np.exp(np.mean(np.log(loud[10:]))) == pytest.approx(9.0, rel=0.15)


def test_energy_sees_an_alternation_that_the_variance_of_a_ramp_hides() -> None:
    router = Router(RouterConfig(baseline_s=100 * HOP_S), OPEN_LIMITS, HOP_S, 1)
    ramp = np.arange(4000, dtype=float).reshape(-1, PATCH, 1)
    for patch in ramp:
        assert router.step(patch, 0.0).energy_z < 3.0
    alternating = ramp[-1] + 4 + np.array([[1.0], [-1.0], [1.0], [-1.0]])
    assert router.step(alternating, 0.0).energy_z > 10.0


def test_both_signs_equal_their_formulas_hop_by_hop() -> None:
    hops, memory = 60, 20.0
    patches = _noise(hops) * np.linspace(0.1, 3.0, hops)[:, None, None]
    router = Router(RouterConfig(baseline_s=memory * HOP_S), OPEN_LIMITS, HOP_S, 6)
    rows = patches.reshape(-1, 6)
    center, spread = np.zeros((2, 6)), np.ones((2, 6))  # of variance and energy
    followed = 0
    for hop in range(hops):
        end = PATCH * (hop + 1)
        bends = np.diff(rows[max(0, end - PATCH - 2) : end], n=2, axis=0)
        variance = rows[max(0, end - 16) : end].var(axis=0)
        logs = np.log(np.stack([variance, (bends**2).mean(axis=0)]) + FLOOR)
        is_frozen = hop % 7 == 3
        seen = router.step(patches[hop], 0.0, is_frozen=is_frozen)
        ratio = np.exp((logs[0] - np.maximum(center[0], np.log(0.1))).max())
        z = max(0.0, ((logs[1] - center[1]) / (1.2533 * spread[1])).max())
        assert (seen.variance_ratio, seen.energy_z) == pytest.approx((ratio, z), rel=1e-12)
        if is_frozen:
            continue
        followed += 1
        if followed == 1:
            center = logs
            continue
        weight = max(1.0 / memory, 1.0 / followed)
        departure, limit = logs - center, 3.0 * spread
        center = center + weight * np.clip(departure, -limit, limit)
        spread = spread + weight * (np.minimum(np.abs(departure), limit) - spread)
        spread = np.maximum(spread, 0.05)


def test_a_router_that_was_reset_routes_as_a_new_one() -> None:
    router = _calibrated(RouterConfig())
    patches = _noise(50, seed=9)
    first = [router.step(patch, 0.0) for patch in patches]
    assert first != [router.step(patch, 0.0) for patch in patches]
    router.reset()
    again = [router.step(patch, 0.0) for patch in patches]
    router.reset()
    assert again == [router.step(patch, 0.0) for patch in patches]


def test_a_sign_that_is_not_a_number_opens_nothing() -> None:
    router = Router(RouterConfig(), RouterLimits(3.0, 3.0, 0.1), HOP_S, 2)
    patch = np.zeros((PATCH, 2))
    patch[1, 1] = np.nan
    seen = router.step(patch, clip_share=0.9)
    assert np.isnan(seen.variance_ratio)
    assert not seen.is_transient


def test_limits_leave_the_accepted_share_on_the_fp16_path_hold_time_included() -> None:
    generator = np.random.default_rng(0)
    signs = generator.exponential(size=(20_000, 3)) * [10.0, 10.0, 1.0]
    tokens = [Routing(False, *row) for row in signs]
    config = RouterConfig(steady_share=0.06, off=1.0, hold_s=3 * HOP_S)
    limits = fit_limits([tokens], config, HOP_S)
    on = (signs / [limits.variance_ratio, limits.energy_z, limits.clip_share]).max(1) >= 1.0
    held = np.convolve(on, np.ones(3))[: len(on)] > 0  # its own hop and two more
    assert 0.05 < held.mean() <= 0.0601
    assert limits.variance_ratio / limits.clip_share == pytest.approx(10.0, rel=0.1)
