"""The router: which tokens take the FP16 path.

Three signs, each divided by its limit on normal data, so that 1 means 'as large as normal gets':
the variance ratio, the high-frequency energy, and the share of activations beyond the steady
INT4 clip. The mask goes on when the largest reaches `on`, and off when it has stayed under `off`
for `hold_s` (hysteresis: near the limit it doesn't chatter).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import types

from taolora_ros.config import RouterConfig
from taolora_ros.ingest.windows import WINDOW, extend, newest
from taolora_ros.kernels.jit import cached_jit_of, compact, reads, source_stamp, writes
from taolora_ros.routing.energy import HighFrequencyEnergy, energy_z, log_energy
from taolora_ros.routing.variance import ROWS, VarianceRatio, log_variance, variance_ratio
from taolora_ros.samples import Floats, Routing
from taolora_ros.signals.baseline import BASELINE, follow


@dataclass(frozen=True)
class RouterLimits:
    """How large each sign gets on normal tokens."""

    variance_ratio: float
    energy_z: float
    clip_share: float


OPEN_LIMITS = RouterLimits(variance_ratio=np.inf, energy_z=np.inf, clip_share=np.inf)
FLOORS = RouterLimits(variance_ratio=2.0, energy_z=3.0, clip_share=0.02)


class Hysteresis:
    """A switch that doesn't chatter: one threshold to go on, a lower one to stay on."""

    def __init__(self, config: RouterConfig, hop_s: float) -> None:
        self._on = config.on
        self._off = config.off
        self._hold = max(1, round(config.hold_s / hop_s))
        self._left = 0  # hops for which it stays on

    def step(self, evidence: float) -> bool:
        """Whether it is on, with evidence 1 at the limit of normal."""
        if evidence >= self._on or (self._left and evidence >= self._off):
            self._left = self._hold
        elif self._left:
            self._left -= 1
        return self._left > 0

    def reset(self) -> None:
        """Off."""
        self._left = 0


class Router:
    """Decides a token's route from the token and what came before it."""

    def __init__(
        self, config: RouterConfig, limits: RouterLimits, hop_s: float, inputs: int
    ) -> None:
        self._limits = _signs(limits)
        self._switch = Hysteresis(config, hop_s)
        self._variance = VarianceRatio(inputs, config.baseline_s / hop_s)
        self._energy = HighFrequencyEnergy(inputs, config.baseline_s / hop_s)
        self._inputs = inputs
        self._state = (*self._variance.parts, *self._energy.parts, np.empty((2, inputs)))
        self._measure = _measure()  # compiled, or loaded, now: no hop waits

    def step(self, patch: Floats, clip_share: float, *, is_frozen: bool = False) -> Routing:
        """Route one token.

        Args:
            patch: the token's rows [P, I], in normal deviations.
            clip_share: share of its activations beyond the steady INT4 clip, 0 to 1.
            is_frozen: whether an event is on, so that the slow baselines must not follow.
        """
        assert patch.shape[1] == self._inputs, patch.shape
        ratio, z, evidence, _ = self._measure(
            np.ascontiguousarray(patch), clip_share, is_frozen, self._limits, *self._state
        )
        return Routing(self._switch.step(evidence), ratio, z, clip_share)

    def reset(self) -> None:
        """Forget the stream; the limits stay."""
        self._variance.reset()
        self._energy.reset()
        self._switch.reset()


@functools.cache
def _measure() -> Callable[..., tuple[float, float, float, int]]:
    stamp = source_stamp()

    @cached_jit_of(
        reads(2), types.float64, types.boolean, reads(1),
        WINDOW, BASELINE, WINDOW, BASELINE, writes(2),
    )  # fmt: skip
    def measure(  # type: ignore[no-untyped-def]
        patch, clip_share, is_frozen, limits, short, variances, long, energies, scratch
    ):
        compact()
        logs, spare = scratch[0], scratch[1]
        extend(short, patch)
        log_variance(newest(short, ROWS), spare, logs)
        ratio = variance_ratio(logs, variances[0])
        if not is_frozen:
            follow(variances, logs)
        extend(long, patch)
        rows, z = newest(long, len(patch) + 2), 0.0
        if len(rows) > 2:
            log_energy(rows, logs)
            z = energy_z(logs, energies[0], energies[1])
            if not is_frozen:
                follow(energies, logs)
        evidence = np.maximum(np.maximum(ratio / limits[0], z / limits[1]), clip_share / limits[2])
        return ratio, z, evidence, stamp

    return measure


def fit_limits(
    sessions: Sequence[Sequence[Routing]], config: RouterConfig, hop_s: float
) -> RouterLimits:
    """The lowest limits under which no more than `steady_share` of normal tokens are transients.

    Each sign starts from the same quantile; all are then raised together until the mask, with its
    hold time, is on as rarely as asked.

    Args:
        sessions: the signs of normal tokens, session by session in the order of time.
        config: the share accepted, and the hysteresis.
        hop_s: time between tokens, in s.
    """
    signs = [np.array([_signs(token) for token in session]) for session in sessions]
    base = np.quantile(np.concatenate(signs), 1.0 - config.steady_share / 3.0, axis=0)
    base = np.maximum(base, _signs(FLOORS))
    evidence = [(session / base).max(axis=1) for session in signs]
    margin = next(
        margin
        for margin in np.geomspace(1.0, 1e6, 1000)
        if _mask_share(evidence, margin, config, hop_s) <= config.steady_share
    )
    variance, energy, clip = base * margin
    return RouterLimits(float(variance), float(energy), float(clip))


def _mask_share(
    sessions: Sequence[Floats], margin: float, config: RouterConfig, hop_s: float
) -> float:
    on = 0
    for evidence in sessions:
        switch = Hysteresis(config, hop_s)
        on += sum(switch.step(value / margin) for value in evidence)
    return on / sum(len(evidence) for evidence in sessions)


def _signs(token: Routing | RouterLimits) -> Floats:
    return np.array([token.variance_ratio, token.energy_z, token.clip_share])
