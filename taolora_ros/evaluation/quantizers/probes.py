"""Normal segments to calibrate on and labeled ones to compare on, as a session would see them.

T rows, C channels, I inputs a row, P rows a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from taolora_ros.detection.watch import WatchModel, warmup_rows
from taolora_ros.evaluation.datasets.series import Series
from taolora_ros.evaluation.quantizers.output_errors import Probe
from taolora_ros.model.network import Network
from taolora_ros.routing.router import Router
from taolora_ros.samples import Bools, Float32s, Floats, Recording


def normal_segments(model: WatchModel, recordings: Sequence[Recording]) -> list[Float32s]:
    """Rows `[T_i, I]` of each segment longer than a warm-up, re-based on its own beginning."""
    segments = []
    for recording in recordings:
        borders = (*recording.starts, len(recording.values))
        for start, end in pairwise(borders):
            if end - start > warmup_rows(model.config):
                part = slice(start, end)
                segments.append(_inputs(model, recording.values[part], recording.peaks[part]))
    return segments


def probe(model: WatchModel, series: Series) -> Probe:
    """The test rows of a series, with the router's mask and its labels.

    The session is re-based on the first rows, and its location is kept from then on; the
    router's baselines are never frozen, as no event is declared.
    """
    patch = model.config.window.patch
    count = len(series.labels) // patch * patch
    rows = _inputs(model, series.test.values[:count], series.test.peaks[:count])
    return Probe(
        rows=rows,
        is_routed=routed(model, rows),
        is_event=np.logical_or.reduce(series.labels[:count].reshape(-1, patch), axis=1),
    )


def routed(model: WatchModel, rows: Float32s) -> Bools:
    """The router's mask `[T/P]` of rows `[T, I]`, T a multiple of P."""
    config, network = model.config, Network(model.network)
    router = Router(config.router, model.limits, config.hop_s, rows.shape[1])
    mask = []
    for patch in rows.reshape(-1, config.window.patch, rows.shape[1]):
        route = router.step(patch.astype(np.float64), network.clip_share(patch))
        network.step(patch, route.is_transient)
        mask.append(route.is_transient)
    return np.array(mask, bool)


def _inputs(model: WatchModel, values: Floats, peaks: Floats) -> Float32s:
    location = model.prior.rebased(values[: warmup_rows(model.config)])
    return model.layout.inputs(model.prior, location, values, peaks).astype(np.float32)
