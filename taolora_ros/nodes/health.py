"""Diagnostics: each task looks at one side of the detector and says how it is.

A task starts at ERROR and stays there until it has seen that all is well. STALE means that data
has stopped coming; it is a level of its own, not an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from taolora_ros.ingest.intake import ChannelStatus
from taolora_ros.nodes.conversions import time_message
from taolora_ros.nodes.snapshots import SnapshotCounts
from taolora_ros.nodes.status import Status
from taolora_ros.samples import Phase

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
ERROR, STALE = DiagnosticStatus.ERROR, DiagnosticStatus.STALE
TASKS = ('detector', 'input', 'speed', 'device', 'snapshots', 'fidelity')
MAX_DIFFERING = 0.01  # share of the decisions that 4 bits may change


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
    oversized: int = 0  # messages that were too large
    recent_losses: int = 0  # messages lost, too large or unreadable since the last report
    faults: tuple[str, ...] = ()  # of the topics' publishers
    snapshots: SnapshotCounts | None = None  # None where none are wanted
    skipped: int = 0  # events without a snapshot, within the cooldown of the one before


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
        'snapshots': snapshot_health(source),
        'fidelity': fidelity_health(status),
        **channels_health(status),
    }


def detector_health(status: Status) -> Health:
    """Whether events would be found now."""
    values = {
        'hops': status.hops,
        'steady tokens': status.steady_tokens,
        'transient tokens': status.transient_tokens,
        'transient share': f'{status.transient_share:.4f}',
        'event open': status.is_in_event,
        'rows not scored while off': status.disabled_rows,
    }
    if not status.counts.received:
        return Health(ERROR, 'no message received yet', values)
    if not status.is_enabled:
        return Health(WARN, 'scoring is off; turn it on with ~/enable', values)
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
        'oversized': source.oversized,
        'waiting_for': ', '.join(source.waiting),
        'never_heard': ', '.join(status.unheard),
        'stale': ', '.join(status.stale),
        'stuck': ', '.join(status.stuck),
        'not_finite_now': ', '.join(status.broken),
        'faults': '; '.join(source.faults),
        **{
            f'stamps of {topic}': f'{entry.stamp_source.value}: {entry.stamp_reason}'
            for entry in status.channels
            for topic in [entry.channel.partition(':')[0]]
        },
    }
    channels = len(status.channels)
    if problems:
        return Health(ERROR, problems[0], values)
    if source.faults:
        return Health(ERROR, source.faults[0], values)
    if source.waiting:
        return Health(ERROR, f'no publisher of {source.waiting[0]}', values)
    if status.unheard:
        return Health(ERROR, f'{len(status.unheard)} of {channels} channels never heard', values)
    if len(status.stale) == channels:
        return Health(STALE, 'all channels are silent', values)
    if status.stale:
        return Health(WARN, f'{len(status.stale)} of {channels} channels are silent', values)
    if source.recent_losses:
        said = f'{source.recent_losses} messages were lost, too large or unreadable'
        return Health(WARN, said, values)
    if status.broken:
        return Health(WARN, f'{status.broken[0]} delivers values that are not finite', values)
    if status.stuck:
        return Health(WARN, f'{status.stuck[0]} repeats one value', values)
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
        'rows dropped': status.dropped_rows,
    }
    if status.recent_drops:
        return Health(WARN, f'too slow: {status.recent_drops} rows were not scored', values)
    if not status.is_enabled:
        return Health(OK, 'scoring is off', values)
    if not latency.count:
        return Health(STALE, 'no hop since the last report', values)
    if latency.p99_s > status.hop_s:
        return Health(WARN, 'hops take longer than their period', values)
    return Health(OK, 'fast enough', values)


def device_health(status: Status) -> Health:
    """What the detector runs on."""
    if status.failure:
        return Health(WARN, f'the GPU was given up: {status.failure}', status.facts)
    return Health(OK, f'runs on the {status.facts["engine"]} engine', status.facts)


def snapshot_health(source: Source) -> Health:
    """Whether events are recorded."""
    counts = source.snapshots
    if counts is None:
        return Health(OK, 'off: snapshots.directory is not set', {})
    values = {**dataclasses.asdict(counts), 'skipped in cooldown': source.skipped}
    if counts.problem:
        return Health(ERROR, f'not written: {counts.problem}', values)
    return Health(OK, f'{counts.written} written', values)


def fidelity_health(status: Status) -> Health:
    """Whether the network decides at 4 bits as its FP32 twin does."""
    if status.no_twin:
        return Health(WARN, f'off: {status.no_twin}', {})
    agreement = status.agreement
    if agreement is None:
        return Health(OK, 'off: shadow_fraction is 0', {})
    values = {
        'hops compared': agreement.hops,
        'decisions that differ': agreement.differing,
        'mean difference in decades': f'{agreement.mean_difference:.4f}',
        'largest difference in decades': f'{agreement.largest_difference:.4f}',
        'stretches dropped': agreement.dropped_stretches,
    }
    if not agreement.hops:
        is_slow = agreement.dropped_stretches > 0
        said = 'no hop compared: the twin lacks time' if is_slow else 'no hop compared yet'
        return Health(WARN, said, values)
    said = f'{agreement.differing} of {agreement.hops} decisions differ from the FP32 twin'
    return Health(WARN if agreement.differing_share > MAX_DIFFERING else OK, said, values)


def channels_health(status: Status) -> dict[str, Health]:
    """How each channel is doing, by `channel <spec>`."""
    still_s = status.still_s or (0.0,) * len(status.channels)
    return {
        f'channel {entry.channel}': channel_health(entry, status, repeats_s)
        for entry, repeats_s in zip(status.channels, still_s, strict=True)
    }


def channel_health(entry: ChannelStatus, status: Status, repeats_s: float) -> Health:
    """How one channel is doing.

    Args:
        entry: what the intake knows of it.
        status: that of the detector.
        repeats_s: how long it has repeated one value.
    """
    values = {
        'rate Hz': f'{entry.rate_hz:.2f}',
        'age s': f'{entry.age_s:.3f}',
        'share not finite': f'{entry.non_finite_share:.4f}',
        'same value for s': f'{repeats_s:.1f}',
    }
    if entry.problem:
        return Health(ERROR, entry.problem, values)
    if entry.channel in status.unheard:
        return Health(ERROR, 'never heard', values)
    if entry.is_stale:
        return Health(STALE, f'silent for {entry.age_s:.1f} s', values)
    if entry.channel in status.broken:
        return Health(WARN, 'values that are not finite', values)
    if entry.channel in status.stuck:
        return Health(WARN, f'the same value for {repeats_s:.1f} s', values)
    return Health(OK, 'delivers', values)


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
