"""A recording through the engine that runs live, and the statistics behind its scores.

H hops, P rows a token, E statistics, T judged rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.evidence import Evidence
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.evaluation.accuracy.subjects import Case
from taolora_ros.evaluation.trace import Trace, record
from taolora_ros.model.dual_path import BuildLayer
from taolora_ros.samples import NS_PER_S, Floats, Gap, Hop, Recording, Row


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """What a session said about the rows that are judged."""

    trace: Trace
    statistics: Floats  # [H, E]; 0 while warming up


def stream(model: DetectorModel, case: Case, build: BuildLayer | None = None) -> Streamed:
    """Run a fresh session over a recording, its lead first.

    Args:
        model: the trained detector.
        case: the recording.
        build: the arithmetic of the dense layers; routed TAO-LoRA by default.

    Raises:
        ArtifactError: `build` asks for FP32 weights that the model was saved without.
    """
    engine = Engine(model, build=build)
    period_ns = round(NS_PER_S / model.config.ingest.sample_rate_hz)
    statistics: list[Floats] = []

    def hops() -> Iterator[Hop]:
        for item in items(case.recording, period_ns):
            hop = engine.push(item)
            if hop is None:
                continue
            if isinstance(item, Row):
                seen = engine.observation
                statistics.append(seen.evidences.values if seen else np.zeros(len(Evidence)))
            yield hop
        if (closing := engine.finish()) is not None:
            yield closing

    trace = record(
        hops(),
        channels=len(model.channels),
        patch=model.config.window.patch,
        period_ns=period_ns,
    )
    judged = trace.first_ns >= case.judged_ns[0]
    return Streamed(
        dataclasses.replace(
            trace,
            **{name: getattr(trace, name)[judged] for name in _PER_HOP},
            detections=tuple(d for d in trace.detections if d.end_ns >= case.judged_ns[0]),
        ),
        np.array(statistics).reshape(-1, len(Evidence))[judged],
    )


_PER_HOP = (
    'first_ns',
    'last_ns',
    'is_watching',
    'scores',
    'thresholds',
    'is_transient',
    'evidence',
    'contributions',
)


def items(recording: Recording, period_ns: int) -> Iterator[Row | Gap]:
    """The rows of a recording, and the gaps between its segments."""
    fresh = np.ones(recording.values.shape[1], bool)
    starts = set(recording.starts)
    for index, stamp_ns in enumerate(recording.stamps_ns.tolist()):
        if index and index in starts:
            yield Gap(int(recording.stamps_ns[index - 1]) + period_ns, stamp_ns)
        yield Row(stamp_ns, recording.values[index], recording.peaks[index], fresh)


def row_scores(case: Case, trace: Trace, scores: Floats) -> Floats:
    """`[T]` the score of each judged row; 0 while warming up, and beyond the last whole token.

    Args:
        case: the recording.
        trace: of it, without its lead.
        scores: `[H]` 0 or above.
    """
    rows = np.zeros(len(case.labels))
    first = np.searchsorted(case.judged_ns, trace.first_ns)
    places = (first[:, None] + np.arange(trace.patch)).ravel()
    rows[places] = trace.rows(np.where(trace.is_watching, scores, 0.0))
    return rows
