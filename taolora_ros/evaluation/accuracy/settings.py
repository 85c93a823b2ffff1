"""The one setting for all sets, and how much is measured."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from taolora_ros.config import (
    Config,
    DetectionConfig,
    IngestConfig,
    ModelConfig,
    WindowConfig,
)

FALSE_ALARMS_PER_HOUR = 1.0
"""False alarms an hour that every detector is asked for, whatever it watches."""

TOKEN_S = 0.04
"""Time that a token spans where the rate allows: a decision so often."""

WARMUP_S = 2.0
"""Time that a session re-bases on; 0 where the test rows go on from the training rows."""

ARM_WARMUP_S = 5.0
"""The same for the arm, as in config/arm.yaml: it stands for 1 s, then begins its cycle."""

ARM_RATE_HZ = 100.0

LEAD_ROWS = 160
"""Training rows that run before test rows which continue them, and aren't judged."""

TOLERANCE_S = 1.0
"""How long after its end an event may still be reported."""

SEED = 0
"""Of everything random but the arm's recordings."""

CORRECTION_WIDTH = 64
"""Features of a token in the network with one block."""

_LARGEST_TOKEN = 32


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured. Counts of the arm are recordings of 120 s (training) or 180 s."""

    arm_training: int
    arm_faulty: int
    arm_normal: int
    peer_recordings: int  # of the arm with faults, that the baselines of detection score
    rounded_faulty: int  # of the arm, that each way of quantization runs through
    rounded_normal: int
    rounded_series: int | None  # of RoSA, that outputs are compared on; all labeled ones if None
    quantizers: tuple[str, ...] | None  # all if None
    has_correction: bool  # whether the network with a block is trained too


FULL = Scale(
    arm_training=10,
    arm_faulty=40,
    arm_normal=20,
    peer_recordings=12,
    rounded_faulty=6,
    rounded_normal=2,
    rounded_series=None,
    quantizers=None,
    has_correction=True,
)
QUICK = Scale(
    arm_training=10,
    arm_faulty=6,
    arm_normal=4,
    peer_recordings=2,
    rounded_faulty=2,
    rounded_normal=2,
    rounded_series=4,
    quantizers=('fp32', 'w4a4_group', 'qlora', 'tao_lora'),
    has_correction=False,
)


def detector_config(channels: tuple[str, ...], rate_hz: float, *, warmup_s: float) -> Config:
    """Settings of a detector: the same for all sets but for rate, token and warm-up.

    Args:
        channels: names of the columns.
        rate_hz: of the rows.
        warmup_s: time that a session re-bases on.
    """
    window = WindowConfig()
    return Config(
        channels=channels,
        ingest=IngestConfig(sample_rate_hz=rate_hz),
        window=dataclasses.replace(window, patch=token_rows(rate_hz, window.length)),
        model=ModelConfig(blocks=0),
        detection=DetectionConfig(false_alarms_per_hour=FALSE_ALARMS_PER_HOUR, warmup_s=warmup_s),
    )


def with_correction(config: Config) -> Config:
    """The same with one block beyond the skip."""
    return dataclasses.replace(config, model=ModelConfig(blocks=1, width=CORRECTION_WIDTH))


def token_rows(rate_hz: float, length: int) -> int:
    """The most rows up to `TOKEN_S`, 1 to 32, of which a window of this length holds a multiple.

    Args:
        rate_hz: of the rows.
        length: rows of the window.
    """
    most = min(max(round(rate_hz * TOKEN_S), 1), _LARGEST_TOKEN)
    return max(rows for rows in range(1, most + 1) if length % rows == 0)
