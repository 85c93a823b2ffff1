"""A bag through the very pipeline that runs live, as fast as it goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.bags import bag_types, read_messages, resolve_channels
from taolora_ros.config import Activation, Config
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.trace import Trace, record
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import BuildLayer, at_precision
from taolora_ros.pipeline import Pipeline
from taolora_ros.samples import NS_PER_S, Hop


def arithmetic(precision: Precision, activation: Activation) -> BuildLayer | None:
    """How dense layers run at a precision; None for the engine that runs live."""
    is_live = precision is Precision.INT4_ROUTED
    return None if is_live else at_precision(precision, activation)


@dataclass(frozen=True, slots=True, eq=False)
class OfflineRun:
    """What came out, and what the intake counted."""

    trace: Trace
    counts: Mapping[str, int]


def run_bag(
    model: DetectorModel,
    bag: Path,
    config: Config | None = None,
    *,
    precision: Precision = Precision.INT4_ROUTED,
) -> OfflineRun:
    """Stream a bag through a fresh pipeline.

    Args:
        model: the trained detector.
        bag: the recording.
        config: settings of intake and detection; the model's own by default.
        precision: the arithmetic of the dense layers.

    Raises:
        ArtifactError: FP32 is asked of a model that was saved without its FP32 twin.
        BagError: the bag can't be read.
        ChannelError: it lacks a channel of the model.
    """
    resolve_channels(bag, model.channels)
    build = arithmetic(precision, model.config.quantization.activation)
    pipeline = Pipeline(model, bag_types(bag), config, build=build)
    trace = record(
        _hops(pipeline, bag),
        channels=len(model.channels),
        patch=model.config.window.patch,
        period_ns=round(model.config.period_s * NS_PER_S),
    )
    return OfflineRun(trace, dataclasses.asdict(pipeline.intake.counts))


def _hops(pipeline: Pipeline, bag: Path) -> Iterator[Hop]:
    for message in read_messages(bag, pipeline.intake.topics):
        yield from pipeline.push(message)
    yield from pipeline.finish()
