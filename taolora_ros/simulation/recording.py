"""A whole simulated run: what the sensors told, and which faults truly happened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import setting
from taolora_ros.errors import ConfigError
from taolora_ros.samples import NS_PER_S
from taolora_ros.simulation.arm import STEP_HZ
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.effects import Effect
from taolora_ros.simulation.faults import START_NS, Fault, FaultKind, PlannedFault, traits
from taolora_ros.simulation.physics import JOINT_HZ, Motions, integrate
from taolora_ros.simulation.schedule import Openings, draw_faults
from taolora_ros.simulation.sensors import Stream, corrupt, measure
from taolora_ros.simulation.work import WorkPlan

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """What to simulate; one seed gives one recording."""

    duration_s: float = setting(120.0, 'length of the recording, in s')
    kinds: tuple[FaultKind, ...] = setting(tuple(FaultKind), 'kinds of fault to draw from')
    count: int | None = setting(None, 'how many faults; as many as fit comfortably if not given')
    planned: tuple[PlannedFault, ...] = setting((), 'these faults instead of drawn ones')
    strength: tuple[float, float] = setting((0.3, 1.0), 'weakest and strongest fault, 0 to 1')
    spacing_s: float = setting(6.0, 'shortest normal time between two faults, in s')
    lead_s: float = setting(10.0, 'normal time before the first fault, in s')
    seed: int = setting(0, 'seed of everything random')

    def __post_init__(self) -> None:
        if not 2.0 <= self.duration_s <= 86_400.0:
            raise ConfigError(
                f'duration: {self.duration_s:g} is out of range; valid: 2 to 86400 s'
            )
        low, high = self.strength
        if not 0.0 <= low <= high <= 1.0:
            raise ConfigError(f'strength: {low:g} to {high:g}; needed: 0 <= low <= high <= 1')
        if self.count is not None and self.count < 0:
            raise ConfigError(f'count: {self.count} is negative; 0 faults is the least')
        if self.spacing_s < 0.0 or self.lead_s < 0.0:
            raise ConfigError(
                f'spacing: {self.spacing_s:g} s, lead: {self.lead_s:g} s; needed: >= 0'
            )
        if self.seed < 0:
            raise ConfigError(f'seed: {self.seed} is negative; use 0 or more')


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A recording before it becomes messages."""

    streams: tuple[Stream, ...]
    motions: Motions  # the same without noise and faults of sensors
    faults: tuple[Fault, ...]


def record(config: SimulationConfig, *, progress: Callable[[float], None]) -> Simulated:
    """Simulate the arm at work and its faults.

    Plan, torque noise and sensor noise depend on the seed and the duration alone, so that runs
    with and without faults differ by what the faults do and by nothing else.

    Args:
        config: what to simulate.
        progress: told the share done, 0 to 1.

    Raises:
        ConfigError: the faults don't fit into the duration.
    """
    plan_rng, torque_rng, noise_rng, fault_rng, corruption_rng = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(5)
    )
    duration_s = round(config.duration_s * JOINT_HZ) / JOINT_HZ
    plan = WorkPlan(duration_s, plan_rng)
    planned = config.planned or draw_faults(
        config.kinds,
        Openings(plan, duration_s, Control(plan)),
        fault_rng,
        duration_s=duration_s,
        count=config.count,
        strength=config.strength,
        spacing_s=config.spacing_s,
        lead_s=config.lead_s,
    )
    _check_order(planned, duration_s)
    physical = [fault for fault in planned if fault.kind.is_physical]
    motions = integrate(plan, duration_s, physical, torque_rng, progress=progress)
    streams = measure(motions, noise_rng)
    for fault in planned:
        if not fault.kind.is_physical:
            streams = corrupt(streams, fault, corruption_rng)
    return Simulated(streams, motions, _happened(planned, motions.effects))


def _check_order(planned: Sequence[PlannedFault], duration_s: float) -> None:
    until_s = 0.0
    for fault in sorted(planned, key=lambda entry: entry.onset_s):
        if fault.onset_s < until_s:
            raise ConfigError(
                f'faults: {fault.kind.value} at {fault.onset_s:g} s begins before the one before '
                f'it is over at {until_s:g} s; move it'
            )
        until_s = fault.end_s
    if until_s > duration_s:
        raise ConfigError(
            f'faults: the last is over at {until_s:g} s, after the end of the recording at '
            f'{duration_s:g} s; ask for a longer duration'
        )


def _happened(planned: Sequence[PlannedFault], effects: Sequence[Effect]) -> tuple[Fault, ...]:
    """The faults as they happened, in time: one that never had an effect is none."""
    spans = {id(effect.planned): effect.steps() for effect in effects}
    happened: list[Fault] = []
    for fault in sorted(planned, key=lambda entry: entry.onset_s):
        span = spans.get(id(fault), (round(fault.onset_s * STEP_HZ), round(fault.end_s * STEP_HZ)))
        if span is None:
            _log.warning('%s at %.2f s: the arm never touched it', fault.kind.value, fault.onset_s)
            continue
        onset_ns, end_ns = (START_NS + step * (NS_PER_S // STEP_HZ) for step in span)
        happened.append(
            Fault(
                id=len(happened) + 1,
                kind=fault.kind,
                onset_ns=onset_ns,
                end_ns=end_ns,
                strength=fault.strength,
                target=fault.target,
                channels=traits(fault.kind).channels_of(fault.target),
            )
        )
    return tuple(happened)
