"""What the detector's node needs beside the settings of the detector; each field a parameter."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from taolora_ros.config import FOREVER_S, setting
from taolora_ros.errors import ConfigError
from taolora_ros.nodes.qos import Durability, Reliability


class Publishers(enum.Enum):
    """What becomes of a topic that several nodes publish."""

    MERGE = 'merge'  # one stream, in order of arrival
    REFUSE = 'refuse'  # not heard while there are several


@dataclass(frozen=True, kw_only=True)
class IntakeOptions:
    """How topics are subscribed to."""

    reliability: Reliability = setting(
        Reliability.AUTO, 'what to ask of publishers; auto: what all of them offer'
    )
    durability: Durability = setting(
        Durability.AUTO, 'what to ask of publishers; auto: what all of them offer'
    )
    publishers: Publishers = setting(
        Publishers.MERGE, 'what becomes of a topic that several nodes publish'
    )
    max_message_mb: float = setting(
        64.0, 'larger messages are counted and skipped, in MB', low=0.001, high=4096.0
    )
    backlog_s: float = setting(
        2.0,
        'messages that wait longer are counted, but not scored, so that scoring catches up, in s',
        low=0.5,  # several times the longest wait between two drains
        high=600.0,
    )


@dataclass(frozen=True, kw_only=True)
class SnapshotOptions:
    """Recordings of events as bags; preservation.pre_s, post_s and max_mb hold for them too."""

    directory: str = setting('', 'folder for bags of the messages around events; empty for none')
    max_disk_mb: float = setting(
        1000.0, 'disk for these bags, in MB; the oldest make room', low=0.1, high=1e7
    )
    cooldown_s: float = setting(
        10.0, 'time after a bag in which events begin no other, in s', low=0.0, high=86_400.0
    )


@dataclass(frozen=True, kw_only=True)
class HealthOptions:
    """When a channel is reported."""

    timeouts: tuple[str, ...] = setting(
        (), 'silence that makes a topic stale, where ingest.stale_s does not fit: /topic=seconds'
    )
    stuck_s: float = setting(
        30.0,
        'time for which a channel that varied in training may repeat one value, in s; 0: for ever',
        low=0.0,
        high=FOREVER_S,
    )

    def __post_init__(self) -> None:
        """Refuse timeouts that are none.

        Raises:
            ConfigError: names the entry.
        """
        self.timeout_by_topic  # noqa: B018

    @property
    def timeout_by_topic(self) -> Mapping[str, float]:
        """Timeouts in s."""
        timeouts: dict[str, float] = {}
        for entry in self.timeouts:
            topic, separator, text = entry.partition('=')
            try:
                timeouts[topic] = float(text)
            except ValueError:
                separator = ''
            if not (topic and separator and timeouts[topic] > 0):
                raise ConfigError(f'timeouts: {entry!r} is none; write e.g. /imu/data=0.5')
        return timeouts


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """How the node runs the detector."""

    model: str = setting('', 'path of the artifact that `taolora train` wrote')
    config: str = setting('', "path of a YAML file with settings over the artifact's; or empty")
    autostart: bool = setting(True, 'configure and activate when the node starts')
    queue: int = setting(
        1000, 'messages of one topic that may wait to be drained', low=1, high=100_000
    )
    drain_s: float = setting(
        0.01,
        'time between two drains of the subscriptions while no hop can be foreseen, in s',
        low=0.001,
        high=1.0,
    )
    status_s: float = setting(
        1.0, 'time between two reports of routing and diagnostics, in s', low=0.1, high=60.0
    )
    shadow_fraction: float = setting(
        0.0,
        'share of the hops that the FP32 twin of the network scores too, for comparison; 0: none',
        low=0.0,
        high=1.0,
    )
    intake: IntakeOptions = field(default_factory=IntakeOptions)
    snapshots: SnapshotOptions = field(default_factory=SnapshotOptions)
    health: HealthOptions = field(default_factory=HealthOptions)
