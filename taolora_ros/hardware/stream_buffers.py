"""The buffers around the network: intake, router, evidence, calibration and outliers.

They live in the host's memory, whichever engine runs. C channels, I inputs, E statistics.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from taolora_ros.config import MAX_MIN_DURATION_S, MAX_PATCH, Config
from taolora_ros.detection.evidence import DRIFT_ROWS, LONG_ROWS, SHORT_ROWS, Evidence
from taolora_ros.detection.watch import warmup_rows
from taolora_ros.engine import DetectorModel
from taolora_ros.hardware.buffers import Buffer, Part
from taolora_ros.monitoring import HISTOGRAM_BUCKETS
from taolora_ros.preservation.buffer import ROW_BYTES
from taolora_ros.routing.variance import ROWS as VARIANCE_ROWS

MESSAGE_BYTES = 1024  # taken for a queued message: an Imu has 330, six joints 300
_CELL_SAMPLES = 256  # of a topic that a grid cell holds one by one
_SAMPLE_BYTES = 150  # tuple, stamp and list entry of one, in CPython 3.11
_NUMBER_BYTES = 32  # of a float in a tuple, in CPython 3.11


def stream_buffers(model: DetectorModel, config: Config, *, queue: int) -> Iterator[Buffer]:
    """All buffers but those of the layers.

    Args:
        model: the trained detector.
        config: settings in force.
        queue: messages of a topic that may wait to be drained.
    """
    yield from _intake(model, config, queue)
    yield from _router(model.watch.network.inputs)
    yield from _evidence(model)
    learned = {
        'prior': model.watch.prior,
        'norm': model.watch.norm,
        'scores': model.scores,
        'alarms': model.alarms,
    }
    yield from _calibration('calibration', learned)
    yield from _outliers(config, len(model.channels))
    yield Buffer(
        name='monitoring.latencies',
        part=Part.MONITORING,
        shape=(2, HISTOGRAM_BUCKETS),
        dtype='int64',
    )


def _intake(model: DetectorModel, config: Config, queue: int) -> Iterator[Buffer]:
    """Bounds: the middleware's queues full, and every open cell of the grid too."""
    channels = len(model.channels)
    topics = len({channel.partition(':')[0] for channel in model.channels})
    cells = math.ceil(config.ingest.lateness_s * config.ingest.sample_rate_hz) + 2
    sample = topics * _SAMPLE_BYTES + channels * _NUMBER_BYTES
    for name, shape in (
        ('intake.queues', (topics, queue, MESSAGE_BYTES)),
        ('intake.cells', (cells, _CELL_SAMPLES, sample)),
    ):
        yield Buffer(name=name, part=Part.INTAKE, shape=shape, dtype='uint8')


def _router(inputs: int) -> Iterator[Buffer]:
    for name, rows in (
        ('router.variance.ring', 2 * VARIANCE_ROWS),
        ('router.variance.baseline', 2),
        ('router.energy.ring', 2 * (MAX_PATCH + 2)),
        ('router.energy.baseline', 2),
    ):
        yield Buffer(name=name, part=Part.ROUTER, shape=(rows, inputs), dtype='float64')


def _evidence(model: DetectorModel) -> Iterator[Buffer]:
    inputs, channels = model.watch.network.inputs, len(model.channels)
    rows = warmup_rows(model.config)
    hops = rows // model.config.window.patch
    for name, shape in (
        ('evidence.rows', (2 * (SHORT_ROWS + 1), inputs)),
        ('evidence.residuals', (2 * DRIFT_ROWS, inputs)),
        ('evidence.departures', (2 * LONG_ROWS, inputs)),
        ('evidence.offset', (len(Evidence), inputs)),
        ('evidence.warmup.rows', (rows, 2, channels)),
        ('evidence.warmup.features', (hops, len(Evidence), inputs)),
    ):
        yield Buffer(name=name, part=Part.EVIDENCE, shape=shape, dtype='float64')


def _calibration(name: str, learned: Any) -> Iterator[Buffer]:
    """Every array within dataclasses, mappings and sequences."""
    if isinstance(learned, np.ndarray):
        dtype = learned.dtype.name
        yield Buffer(name=name, part=Part.CALIBRATION, shape=learned.shape, dtype=dtype)
    elif dataclasses.is_dataclass(learned):
        for field in dataclasses.fields(learned):
            yield from _calibration(f'{name}.{field.name}', getattr(learned, field.name))
    elif isinstance(learned, dict):
        for key, value in learned.items():
            yield from _calibration(f'{name}.{key}', value)
    elif isinstance(learned, (list, tuple)):
        for index, value in enumerate(learned):
            yield from _calibration(f'{name}.{index}', value)


def _outliers(config: Config, channels: int) -> Iterator[Buffer]:
    """Bounds: the rows before an event, those of one, and those that nobody has taken yet."""
    row = ROW_BYTES + 17 * channels
    most = max(2, int(config.preservation.max_mb * 1e6 / row))
    lead = config.window.patch + round(MAX_MIN_DURATION_S / config.period_s)
    before = max(1, round(config.preservation.pre_s / config.period_s)) + lead
    for name, rows in (
        ('outliers.before', min(before, most)),
        ('outliers.event', most),
        ('outliers.finished', most),
    ):
        yield Buffer(name=name, part=Part.OUTLIERS, shape=(rows, row), dtype='uint8')
