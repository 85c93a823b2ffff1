"""The router: which tokens take the FP16 path.

Three signs, each divided by its limit on normal data, so that 1 means 'as large as normal gets':
the variance ratio, the high-frequency energy, and the share of activations beyond the steady
INT4 clip. The mask goes on when the largest reaches `on`, and off when it has stayed under `off`
for `hold_s` (hysteresis: near the limit it doesn't chatter).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import RouterConfig
from taolora_ros.routing.energy import HighFrequencyEnergy
from taolora_ros.routing.variance import VarianceRatio
from taolora_ros.samples import Floats, Routing


@dataclass(frozen=True)
class RouterLimits:
    """How large each sign gets on normal tokens."""

    variance_ratio: float
    energy_z: float
    clip_share: float


OPEN_LIMITS = RouterLimits(variance_ratio=np.inf, energy_z=np.inf, clip_share=np.inf)


class Router:
    """Decides a token's route from the token and what came before it."""

    def __init__(
        self, config: RouterConfig, limits: RouterLimits, hop_s: float, inputs: int
    ) -> None:
        self._config = config
        self._limits = limits
        self._hold = max(1, round(config.hold_s / hop_s))
        self._variance = VarianceRatio(inputs, config.baseline_s / hop_s)
        self._energy = HighFrequencyEnergy(inputs, config.baseline_s / hop_s)
        self._left = 0  # hops for which the mask stays on

    def step(self, patch: Floats, clip_share: float, *, is_frozen: bool = False) -> Routing:
        """Route one token.

        Args:
            patch: the token's rows [P, I], in normal deviations.
            clip_share: share of its activations beyond the steady INT4 clip, 0 to 1.
            is_frozen: whether an event is on, so that the slow baselines must not follow.
        """
        ratio = self._variance.step(patch, is_frozen=is_frozen)
        energy = self._energy.step(patch, is_frozen=is_frozen)
        evidence = max(
            ratio / self._limits.variance_ratio,
            energy / self._limits.energy_z,
            clip_share / self._limits.clip_share,
        )
        if evidence >= self._config.on or (self._left and evidence >= self._config.off):
            self._left = self._hold
        elif self._left:
            self._left -= 1
        return Routing(self._left > 0, ratio, energy, clip_share)

    def reset(self) -> None:
        """Forget the stream; the limits stay."""
        self._variance.reset()
        self._energy.reset()
        self._left = 0


def fit_limits(tokens: list[Routing], share: float) -> RouterLimits:
    """Limits that normal tokens pass with a probability of about `share` in all.

    Args:
        tokens: the signs of normal tokens, in any order.
        share: part of the normal tokens that may take the FP16 path, 0 to 1.
    """
    signs = np.array([[t.variance_ratio, t.energy_z, t.clip_share] for t in tokens])
    # Bonferroni over three signs, and half again because the hold time stretches each passing.
    limits = np.quantile(signs, 1.0 - share / 6.0, axis=0)
    floors = (2.0, 3.0, 0.02)
    variance, energy, clip = np.maximum(limits, floors)
    return RouterLimits(float(variance), float(energy), float(clip))
