"""Diagnostics: each task looks at one side of the detector and says how it is.

A task starts at ERROR and stays there until it has seen that all is well. STALE means that data
has stopped coming; it is a level of its own, not an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from taolora_ros.nodes.conversions import time_message
from taolora_ros.nodes.session import Status
from taolora_ros.samples import Phase

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
ERROR, STALE = DiagnosticStatus.ERROR, DiagnosticStatus.STALE
TASKS = ('detector', 'input', 'speed', 'device')


@dataclass(frozen=True, slots=True)
class Health:
    """Result of one task."""

    level: bytes
    message: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Source:
    """What the subscriptions know."""

    waiting: tuple[str, ...]  # topics without a publisher
    lost: int  # messages published, but lost on the way or in the queue
    undated: int  # messages before the first /clock


def idle(reason: str) -> dict[str, Health]:
    """Results while the detector does not run.

    Args:
        reason: why it does not.
    """
    return {task: Health(ERROR, reason, {}) for task in TASKS}


def running(status: Status, source: Source) -> dict[str, Health]:
    """Results of all tasks while the detector runs."""
    return {
        'detector': detector_health(status),
        'input': input_health(status, source),
        'speed': speed_health(status),
        'device': device_health(status),
    }


def detector_health(status: Status) -> Health:
    """Whether events would be found now."""
    values = {
        'hops': status.hops,
        'steady tokens': status.steady_tokens,
        'transient tokens': status.transient_tokens,
        'transient share': f'{status.transient_share:.4f}',
        'event open': status.is_in_event,
    }
    if not status.counts.received:
        return Health(ERROR, 'no message received yet', values)
    if not status.hops:
        return Health(ERROR, 'no complete row of channels yet', values)
    if status.phase is Phase.WARMING:
        return Health(WARN, 'warming up', values)
    return Health(OK, 'watching', values)


def input_health(status: Status, source: Source) -> Health:
    """Whether the channels deliver."""
    problems = sorted({entry.problem for entry in status.channels if entry.problem})
    values = {
        **dataclasses.asdict(status.counts),
        'lost': source.lost,
        'before_clock': source.undated,
        'waiting_for': ', '.join(source.waiting),
        'never_heard': ', '.join(status.unheard),
        'stale': ', '.join(status.stale),
        **{
            f'stamps of {topic}': f'{entry.stamp_source.value}: {entry.stamp_reason}'
            for entry in status.channels
            for topic in [entry.channel.partition(':')[0]]
        },
    }
    channels = len(status.channels)
    if problems:
        return Health(ERROR, problems[0], values)
    if source.waiting:
        return Health(ERROR, f'no publisher of {source.waiting[0]}', values)
    if status.unheard:
        return Health(ERROR, f'{len(status.unheard)} of {channels} channels never heard', values)
    if len(status.stale) == channels:
        return Health(STALE, 'all channels are silent', values)
    if status.stale:
        return Health(WARN, f'{len(status.stale)} of {channels} channels are silent', values)
    return Health(OK, 'all channels deliver', values)


def speed_health(status: Status) -> Health:
    """Whether hops are computed faster than they come."""
    if not status.hops:
        return Health(ERROR, 'no hop computed yet', {})
    latency = status.latency
    values = {
        'hop p50 ms': f'{latency.p50_s * 1e3:.3f}',
        'hop p99 ms': f'{latency.p99_s * 1e3:.3f}',
        'hop max ms': f'{latency.max_s * 1e3:.3f}',
        'hop period ms': f'{status.hop_s * 1e3:.3f}',
        'hop p99.9 ms since activation': f'{status.latency_in_all.p999_s * 1e3:.3f}',
        'hop max ms since activation': f'{status.latency_in_all.max_s * 1e3:.3f}',
        'bytes a steady hop': status.traffic.steady_bytes,
        'bytes a transient hop': status.traffic.transient_bytes,
        'bytes moved': status.bytes_moved,
    }
    if not latency.count:
        return Health(STALE, 'no hop since the last report', values)
    if latency.p99_s > status.hop_s:
        return Health(WARN, 'hops take longer than their period', values)
    return Health(OK, 'fast enough', values)


def device_health(status: Status) -> Health:
    """What the detector runs on."""
    return Health(OK, f'runs on the {status.facts["engine"]} engine', status.facts)


def diagnostics_message(
    stamp_ns: int, node: str, model: str, tasks: Mapping[str, Health]
) -> DiagnosticArray:
    """One array with a status for each task.

    Args:
        stamp_ns: now, on the node's clock.
        node: fully qualified name of the node.
        model: the artifact, as hardware id.
        tasks: results by name.
    """
    array = DiagnosticArray(status=[_status(node, model, *task) for task in tasks.items()])
    array.header.stamp = time_message(stamp_ns)
    return array


def _status(node: str, model: str, task: str, health: Health) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=health.level,
        name=f'{node.lstrip("/")}: {task}',
        message=health.message,
        hardware_id=model,
        values=_pairs(list(health.values.items())),
    )


def _pairs(items: Sequence[tuple[str, object]]) -> list[KeyValue]:
    return [KeyValue(key=key, value=str(value)) for key, value in items]
