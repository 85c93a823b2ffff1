"""From a blow to the event in the live graph: publishers, detectors and a subscriber over DDS.

A blow at row r of a hop of P rows can't be known before the hop is complete: P − 1 − r rows have
to follow, and one more that closes the last of them on the grid. That wait, (P − r) periods, is
by design and at most one hop. Two figures are told:

    latency_over_hop  publish to event, less one hop; the bound is on this one. It is negative
                      where a blow comes late in its hop.
    after_hop         from the date of the row with which the hop was complete to the event:
                      draining, scoring and two ways over DDS, and how late the publisher was.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taolora_ros.evaluation.speed.processes import Started, own_graph, started
from taolora_ros.evaluation.speed.struck_machine import (
    HOP_NS,
    IMU_TOPIC,
    JOINT_TOPIC,
    PERIOD_NS,
    BlowSchedule,
    namespace,
)
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.samples import NS_PER_S, Floats

_BLOWS, _ONSETS = 'taolora_ros.nodes.blows', 'taolora_ros.nodes.onsets'
_DETECTOR = 'taolora_ros.nodes.detector'
_NS_PER_MS = 1e6
_AFTER_LAST_NS = 2 * NS_PER_S  # in which the last blow may still be found


@dataclass(frozen=True, slots=True)
class Blow:
    """When a machine was struck."""

    stamp_ns: int  # of its row
    published_ns: int


@dataclass(frozen=True, slots=True)
class Onset:
    """When an event was told of."""

    received_ns: int
    onset_ns: int  # first row of the hop that it was found in


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a blow took to be told."""

    latency_ns: int  # publish to event
    after_hop_ns: int


@dataclass(frozen=True, slots=True)
class Matching:
    """What became of the blows on one machine."""

    delays: tuple[Delay, ...]  # of the blows that were found
    missed: int
    others: int  # events that no blow explains


@dataclass(frozen=True, eq=False)
class PipelineFindings:
    """All machines together."""

    machines: tuple[Matching, ...]
    cpu_shares: tuple[float, ...]  # of a core, a detector each
    late_p99_ms: float  # publishing after the row's date

    @property
    def delays(self) -> tuple[Delay, ...]:
        """Of all blows that were found."""
        return tuple(delay for machine in self.machines for delay in machine.delays)

    def to_mapping(self) -> dict[str, Any]:
        """Delays in ms, counts and the CPU share of the detector that took most."""
        latency = np.array([delay.latency_ns for delay in self.delays]) / _NS_PER_MS
        after = np.array([delay.after_hop_ns for delay in self.delays]) / _NS_PER_MS
        hop_ms = HOP_NS / _NS_PER_MS
        return {
            'latency_over_hop_p50_ms': _quantile(latency - hop_ms, 0.5),
            'latency_over_hop_p99_ms': _quantile(latency - hop_ms, 0.99),
            'events_sent': len(self.delays) + sum(machine.missed for machine in self.machines),
            'events_found': len(self.delays),
            'events_without_blow': sum(machine.others for machine in self.machines),
            'cpu_share': max(self.cpu_shares),
            'hop_ms': hop_ms,
            'latency_p50_ms': _quantile(latency, 0.5),
            'latency_p99_ms': _quantile(latency, 0.99),
            'after_hop_p50_ms': _quantile(after, 0.5),
            'after_hop_p99_ms': _quantile(after, 0.99),
            'publisher_late_p99_ms': self.late_p99_ms,
            'definitions': (
                'latency: from publishing the row with the blow to the callback with the onset; '
                'latency_over_hop: publish to event less one hop; '
                'after_hop: from the date of the row that completed the hop to that callback; '
                'cpu_share: of one core, of the detector that took most'
            ),
        }

    def targets(self) -> tuple[Target, ...]:
        """Delay, blows and CPU."""
        figures = self.to_mapping()
        return (
            Target(
                'latency_over_hop_p99_ms',
                'publish to event less one hop, p99, in ms',
                figures['latency_over_hop_p99_ms'],
                at_most=5.0,
            ),
            Target(
                'events_found',
                'events found of those sent',
                float(figures['events_found']),
                at_least=float(figures['events_sent']),
            ),
            Target(
                'cpu_share',
                'share of a core that a detector takes, 21 channels at 100 Hz',
                figures['cpu_share'],
                at_most=0.10,
            ),
        )


def measure_pipeline(
    artifact: Path, folder: Path, *, machines: int, schedule: BlowSchedule
) -> PipelineFindings:
    """Strike machines that detectors watch live, each in a process and a namespace of its own.

    Args:
        artifact: what they detect with.
        folder: for the output of the processes.
        machines: how many, side by side.
        schedule: of the blows on each of them.

    Raises:
        TaoloraError: a process failed; quotes its last words.
    """
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(own_graph(folder))

        def start(module: str, arguments: Sequence[object], name: str) -> Started:
            return stack.enter_context(
                started(module, arguments, name=name, folder=folder, environment=environment)
            )

        onsets = start(_ONSETS, [machines], 'onsets')
        detectors = [
            start(_DETECTOR, _arguments(artifact, number), f'detector{number}')
            for number in range(machines)
        ]
        source = start(_BLOWS, [machines, schedule.count, schedule.lead_rows], 'blows')
        source.answer(beside=detectors)  # the first blow
        began_s, before_s = time.monotonic(), [detector.cpu_s() for detector in detectors]
        struck = source.answer(beside=detectors)
        took_s = time.monotonic() - began_s
        shares = [
            (detector.cpu_s() - before) / took_s
            for detector, before in zip(detectors, before_s, strict=True)
        ]
        onsets.process.send_signal(signal.SIGINT)
        heard = onsets.answer()
    return PipelineFindings(
        tuple(
            match(
                [Blow(**blow) for blow in struck['machines'][number]],
                [Onset(**onset) for onset in heard['machines'][number]],
            )
            for number in range(machines)
        ),
        tuple(shares),
        struck['late_p99_ms'],
    )


def match(blows: Sequence[Blow], onsets: Sequence[Onset]) -> Matching:
    """The first event that begins in a blow's hop or after it, before the next blow's hop.

    Args:
        blows: on one machine, in order.
        onsets: of its detector, in order.
    """
    delays: list[Delay] = []
    for blow, following in zip(blows, [*blows[1:], None], strict=True):
        end_ns = following.stamp_ns - HOP_NS if following else blow.stamp_ns + _AFTER_LAST_NS
        for onset in onsets:
            if blow.stamp_ns - HOP_NS < onset.onset_ns <= end_ns:
                delays.append(_delay(blow, onset))
                break
    return Matching(tuple(delays), len(blows) - len(delays), len(onsets) - len(delays))


def _delay(blow: Blow, onset: Onset) -> Delay:
    hop_end_ns = onset.onset_ns + HOP_NS
    rows = -((blow.stamp_ns - hop_end_ns) // PERIOD_NS)  # until the first one past the hop
    return Delay(
        onset.received_ns - blow.published_ns,
        onset.received_ns - (blow.stamp_ns + rows * PERIOD_NS),
    )


def _arguments(artifact: Path, number: int) -> list[str]:
    """Command line of a machine's detector."""
    inside = namespace(number)
    rules = {'__ns': inside, **{topic: f'{inside}{topic}' for topic in (IMU_TOPIC, JOINT_TOPIC)}}
    words = ['--ros-args', '-p', f'model:={artifact}']
    for name, target in rules.items():
        words += ['-r', f'{name}:={target}']
    return words


def _quantile(values: Floats, share: float) -> float | None:
    """None where there are no values."""
    return float(np.quantile(values, share)) if values.size else None
