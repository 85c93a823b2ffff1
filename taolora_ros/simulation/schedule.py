"""When which fault strikes what, how hard and for how long: drawn from a seed, or read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taolora_ros.config import from_mapping
from taolora_ros.errors import ConfigError
from taolora_ros.plain_yaml import read_yaml
from taolora_ros.samples import Bools, Floats
from taolora_ros.simulation.arm import JOINTS
from taolora_ros.simulation.control import Control
from taolora_ros.simulation.faults import FaultKind, PlannedFault, traits
from taolora_ros.simulation.work import WorkPlan

_GRID_HZ = 50  # resolution of the search for an onset
_MOVING = 0.3  # rad/s at which a joint's fault begins to matter
_CARRYING = 0.2  # rad/s at which a slip has something to throw the load about
_ARRIVAL_S = 0.2  # that a collision's sweep has to go on
_HALVINGS = 12


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    kind: FaultKind
    target: str
    duration_s: float
    strength: float
    extra: float  # share of the free time before it, relative to the others


class Openings:
    """The times at which each fault can act, from the plan of the work alone.

    A gear's fault begins while its joint moves, a slip while the payload is carried, a collision
    while the part that is hit sweeps sideways; the others begin at any time.
    """

    def __init__(self, plan: WorkPlan, duration_s: float, control: Control) -> None:
        self._plan = plan
        self._control = control
        self._times = np.arange(round(duration_s * _GRID_HZ)) / _GRID_HZ
        self._speeds = np.abs(plan.sample(self._times).velocities)

    def next(self, draw: _Draw, after_s: float) -> float:
        """The first onset not before a time at which the fault can act; inf if there is none."""
        later = np.flatnonzero(self._open(draw) & (self._times >= after_s))
        if draw.kind is FaultKind.COLLISION:
            later = later[: -round(_ARRIVAL_S * _GRID_HZ)]
            return next(
                (time for time in self._times[later].tolist() if self._sweeps(draw.target, time)),
                float('inf'),
            )
        return float(self._times[later[0]]) if len(later) else float('inf')

    def _open(self, draw: _Draw) -> Bools:
        kind = draw.kind
        if kind is FaultKind.PAYLOAD_SLIP:
            span = draw.duration_s + traits(kind).recovery_s + 0.1
            starts, ends = self._times - 0.3, self._times + span
            closed = self._plan.is_carrying(starts) & self._plan.is_carrying(ends)
            closed &= ~self._changes_hands(starts, ends)
            carried: Bools = closed & (self._speeds.max(axis=1) > _CARRYING)
            return carried
        if kind is FaultKind.LOOSE_IMU:
            moving: Bools = self._speeds.max(axis=1) > _MOVING
            return moving
        if draw.target in JOINTS:
            turning: Bools = self._speeds[:, JOINTS.index(draw.target)] > _MOVING
            return turning
        return np.ones(len(self._times), dtype=np.bool_)

    def _changes_hands(self, starts: Floats, ends: Floats) -> Bools:
        edges = np.array([grip.time_s for grip in self._plan.grips])
        changes: Bools = np.searchsorted(edges, ends) != np.searchsorted(edges, starts)
        return changes

    def _sweeps(self, body: str, time_s: float) -> bool:
        """Whether the body keeps sweeping long enough to arrive at what stands in its way."""
        return all(
            self._control.obstruct(body, time) is not None
            for time in (time_s, time_s + _ARRIVAL_S)
        )


def draw_faults(
    kinds: Sequence[FaultKind],
    openings: Openings,
    rng: np.random.Generator,
    *,
    duration_s: float,
    count: int | None,
    strength: tuple[float, float],
    spacing_s: float,
    lead_s: float,
) -> tuple[PlannedFault, ...]:
    """Faults at random times, every kind as often as the others (to one).

    Args:
        kinds: what may happen.
        openings: when each can.
        rng: of all the choices.
        duration_s: of the recording; its last `spacing_s` stay normal.
        count: how many; None for as many as fit comfortably.
        strength: lowest and highest.
        spacing_s: shortest normal time between two faults.
        lead_s: normal time before the first.

    Raises:
        ConfigError: they don't fit.
    """
    if not kinds or count == 0:
        return ()
    wanted = count if count is not None else max(1, int(duration_s / (1.7 * spacing_s + 2.0)))
    draws = _draws(kinds, rng, wanted, strength)
    extras = np.array([draw.extra for draw in draws])
    free_s = max(0.0, duration_s - lead_s - spacing_s * wanted) / float(extras.sum())
    for _ in range(_HALVINGS):
        placed = _place(draws, openings, free_s, spacing_s, lead_s)
        if placed[-1].end_s + spacing_s <= duration_s:
            return placed
        free_s *= 0.5
    placed = _place(draws, openings, 0.0, spacing_s, lead_s)
    fitting = tuple(fault for fault in placed if fault.end_s + spacing_s <= duration_s)
    if len(fitting) == wanted or (count is None and fitting):
        return fitting
    raise ConfigError(
        f'count: {wanted} faults {spacing_s:g} s apart do not fit into {duration_s:g} s, '
        f'{len(fitting)} do; ask for fewer, a longer duration or a smaller spacing'
    )


def read_faults(path: Path) -> tuple[PlannedFault, ...]:
    """Faults from a YAML list of kind, onset_s, duration_s, strength and target.

    Raises:
        ConfigError: the file is missing or an entry is not valid.
    """
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise ConfigError(f'{path}: expected a list of faults, each with kind and onset_s')
    return tuple(
        from_mapping(PlannedFault, entry, f'{path}[{number}]')
        for number, entry in enumerate(entries)
    )


def _draws(
    kinds: Sequence[FaultKind],
    rng: np.random.Generator,
    count: int,
    strength: tuple[float, float],
) -> list[_Draw]:
    draws: list[_Draw] = []
    while len(draws) < count:
        for index in rng.permutation(len(kinds))[: count - len(draws)]:
            row = traits(kinds[index])
            shortest, longest = row.duration_s
            draws.append(
                _Draw(
                    kind=kinds[index],
                    target=row.targets[int(rng.integers(len(row.targets)))],
                    duration_s=round(float(rng.uniform(shortest, longest)), 3),
                    strength=round(float(rng.uniform(*strength)), 3),
                    extra=float(rng.exponential()),
                )
            )
    return draws


def _place(
    draws: Sequence[_Draw],
    openings: Openings,
    free_s: float,
    spacing_s: float,
    lead_s: float,
) -> tuple[PlannedFault, ...]:
    """Place them one after the other; one that finds no opening lands beyond any end."""
    placed: list[PlannedFault] = []
    ready_s = lead_s
    for draw in draws:
        onset_s = openings.next(draw, ready_s + draw.extra * free_s)
        placed.append(
            PlannedFault(
                kind=draw.kind,
                onset_s=onset_s,
                duration_s=draw.duration_s,
                strength=draw.strength,
                target=draw.target,
            )
        )
        ready_s = placed[-1].end_s + spacing_s
    return tuple(placed)
