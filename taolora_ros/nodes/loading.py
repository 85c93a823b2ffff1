"""From the detector's parameters to a session: artifact, settings, device."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from taolora_ros import artifact
from taolora_ros.config import read_config, setting
from taolora_ros.errors import ConfigError
from taolora_ros.hardware.deployment import deploy
from taolora_ros.hardware.probe import probe
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.logging import logger
from taolora_ros.nodes.parameters import Parameters
from taolora_ros.nodes.session import Session

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """What the node needs beside the settings of the detector."""

    model: str = setting('', 'path of the artifact that `taolora train` wrote')
    config: str = setting('', "path of a YAML file with settings over the artifact's; or empty")
    autostart: bool = setting(True, 'configure and activate when the node starts')
    queue: int = setting(
        1000, 'messages of one topic that may wait to be drained', low=1, high=100_000
    )
    drain_s: float = setting(
        0.01, 'time between two drains of the subscriptions, in s', low=0.001, high=1.0
    )
    status_s: float = setting(
        1.0, 'time between two reports of routing and diagnostics, in s', low=0.1, high=60.0
    )


def open_session(options: DetectorOptions, parameters: Parameters) -> Session:
    """Load everything that a detector needs; the parameters then show what is in force.

    Settings of the YAML file win over the artifact's, and parameters that the user has set win
    over both.

    Raises:
        TaoloraError: no artifact, or one that does not go with the settings or this machine.
    """
    if not options.model:
        raise ConfigError('model: not set; pass the artifact, e.g. -p model:=rosa.safetensors')
    model = artifact.load(Path(options.model))
    config = model.config
    if options.config:
        config = read_config(Path(options.config), config)
    config = parameters.fill(config)
    deployment = deploy(model, config, probe(), queue=options.queue)
    session = Session(
        model, TypeRegistry(), config, deployment=deployment, clock_ns=time.perf_counter_ns
    )
    parameters.show(options)
    parameters.show(config)
    log.info(
        'configured',
        model=options.model,
        channels=len(model.channels),
        device=deployment.engine.device.value,
        why=deployment.engine.why,
        memory_mb=round(deployment.memory.total_bytes / 1e6, 3),
    )
    asked, hours = config.detection.false_alarms_per_hour, model.alarms.hours
    if not model.alarms.supports(asked):
        log.warning(
            'normal data too short for the false alarms asked for; record more, or accept more',
            false_alarms_per_hour=asked,
            normal_hours=round(hours, 3),
        )
    return session
