"""From the detector's parameters to a session: artifact, settings, device."""

from __future__ import annotations

import time
from pathlib import Path

from taolora_ros import artifact
from taolora_ros.config import Config, read_config
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ArtifactError, ConfigError
from taolora_ros.hardware.deployment import deploy
from taolora_ros.hardware.probe import probe
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.kernels.jit import load_compiler
from taolora_ros.logging import logger
from taolora_ros.nodes.hop_timer import LONGEST_S
from taolora_ros.nodes.options import DetectorOptions
from taolora_ros.nodes.parameters import Parameters
from taolora_ros.nodes.session import Session
from taolora_ros.nodes.shadow import Shadow
from taolora_ros.preservation.clips import ClipLimits, ClipRecorder
from taolora_ros.samples import NS_PER_S

log = logger(__name__)


def open_session(options: DetectorOptions, parameters: Parameters) -> Session:
    """Load everything that a detector needs.

    Settings of the YAML file win over the artifact's, and parameters that the user has set win
    over both.

    Raises:
        TaoloraError: no artifact, or one that does not go with the settings or this machine.
    """
    if not options.model:
        raise ConfigError('model: not set; pass the artifact, e.g. -p model:=rosa.safetensors')
    load_compiler()
    model = artifact.load(Path(options.model))
    config = model.config
    if options.config:
        config = read_config(Path(options.config), config)
    config = parameters.fill(config)
    deployment = deploy(model, config, probe(), queue=options.queue)
    shadow, no_twin = make_shadow(options.shadow_fraction, model)
    session = Session(
        model,
        TypeRegistry(),
        config,
        deployment=deployment,
        clock_ns=time.perf_counter_ns,
        recorder=make_recorder(options, config),
        health=options.health,
        shadow=shadow,
        no_twin=no_twin,
    )
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


def make_shadow(fraction: float, model: DetectorModel) -> tuple[Shadow | None, str]:
    """What compares hops with the FP32 twin; and why there is none, if one is wanted.

    Args:
        fraction: share of the hops; 0 where none is wanted.
        model: the trained detector.
    """
    if not fraction:
        return None, ''
    try:
        return Shadow(model, fraction, clock_ns=time.perf_counter_ns), ''
    except ArtifactError as error:
        log.warning('no fidelity watch', shadow_fraction=fraction, reason=str(error))
        return None, str(error)


def make_recorder(options: DetectorOptions, config: Config) -> ClipRecorder | None:
    """What remembers messages for snapshots; None where none are wanted."""
    if not options.snapshots.directory:
        return None
    preservation = config.preservation
    delay_s = config.ingest.lateness_s + config.hop_s + max(options.drain_s, LONGEST_S)
    limits = ClipLimits(
        pre_ns=round(preservation.pre_s * NS_PER_S),
        post_ns=round(preservation.post_s * NS_PER_S),
        delay_ns=round(delay_s * NS_PER_S),
        lead_ns=round((delay_s + config.detection.min_duration_s + 1.0) * NS_PER_S),
        cooldown_ns=round(options.snapshots.cooldown_s * NS_PER_S),
        max_bytes=round(preservation.max_mb * 1e6),
    )
    return ClipRecorder(limits, now=time.time)
