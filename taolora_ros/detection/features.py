"""The features behind the evidence: what the windows of a stream hold after each token."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from taolora_ros.detection.evidence import (
    BURST_ROWS,
    DRIFT_ROWS,
    LEVEL_ROWS,
    LONG_ROWS,
    SHORT_ROWS,
    STILL,
    TINY,
    Evidence,
)
from taolora_ros.ingest.windows import WINDOW, RingWindow, extend, newest
from taolora_ros.kernels.jit import cached_jit_of, compact, formula, reads, source_stamp, writes
from taolora_ros.samples import Float32s, Floats
from taolora_ros.signals import columns


class EvidenceWindows:
    """Streams tokens through the windows of all features."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._rows = RingWindow(SHORT_ROWS + 1, inputs)
        self._residuals = RingWindow(DRIFT_ROWS, inputs)
        self._departures = RingWindow(LONG_ROWS, inputs)  # columns beyond the channels stay 0
        parts = (self._rows.parts, self._residuals.parts, self._departures.parts)
        self._state = (*parts, np.empty(inputs))
        self._measure = _measure()  # compiled, or loaded, now: no hop waits

    def step(self, patch: Floats, residual: Floats, departure: Floats | Float32s) -> Floats:
        """Features [E, I] after a token.

        Args:
            patch: re-based rows [P, I].
            residual: what the network's prediction left of them [P, I].
            departure: what the relation left of the channels [P, C].
        """
        assert patch.shape == residual.shape == (len(departure), self._inputs), patch.shape
        assert departure.shape[1] <= self._inputs, departure.shape
        features = np.empty((len(Evidence), self._inputs))
        self._measure(
            np.ascontiguousarray(patch),
            np.ascontiguousarray(residual),
            np.ascontiguousarray(departure, np.float64),
            *self._state,
            features,
        )
        return features

    def clear(self) -> None:
        """Forget the stream."""
        self._rows.clear()
        self._residuals.clear()
        self._departures.clear()


@functools.cache
def _measure() -> Callable[..., int]:
    stamp = source_stamp()

    @cached_jit_of(
        reads(2), reads(2), reads(2), WINDOW, WINDOW, WINDOW, writes(1), writes(2)
    )  # fmt: skip
    def measure(  # type: ignore[no-untyped-def]
        patch, residual, departure, rows, residuals, departures, scratch, features
    ):
        compact()
        extend(rows, patch)
        extend(residuals, residual)
        extend(departures, departure)
        burst = newest(residuals, max(len(patch), BURST_ROWS))
        _log_power(burst, features[Evidence.BURST.value])
        _log_power(newest(residuals, DRIFT_ROWS), features[Evidence.CHANGE.value])
        _log_variance(newest(rows, SHORT_ROWS), scratch, features[Evidence.VARIANCE.value])
        columns.mean(newest(rows, LEVEL_ROWS), features[Evidence.LEVEL.value])
        columns.mean(newest(residuals, DRIFT_ROWS), features[Evidence.DRIFT.value])
        _log_variance(newest(departures, LONG_ROWS), scratch, features[Evidence.RELATION.value])
        stillness(newest(rows, SHORT_ROWS + 1), features[Evidence.STILLNESS.value])
        return stamp

    return measure


@formula
def _log_power(rows: Floats, out: Floats) -> None:
    compact()
    columns.power(rows, out)
    columns.log(out, TINY)


@formula
def _log_variance(rows: Floats, scratch: Floats, out: Floats) -> None:
    compact()
    columns.variance(rows, scratch, out)
    columns.log(out, TINY)


@formula
def stillness(rows: Floats, out: Floats) -> None:
    """Minus the log power of the differences of rows [n, I], into `out` [I]; 0 for one row."""
    compact()
    columns.step_power(rows, out)
    columns.log(out, STILL)
    for i in range(len(out)):
        out[i] = -out[i] if len(rows) > 1 else 0.0
