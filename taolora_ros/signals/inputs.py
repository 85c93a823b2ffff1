"""From grid rows to what the network sees: re-based channels, and the peaks beside them.

A channel sampled faster than the grid has two inputs: the mean of each cell, and how far the
cell's farthest sample lies from it, so that no short impact is averaged away.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import types

from taolora_ros.kernels.jit import cached_jit_of, compact, formula, reads, source_stamp, writes
from taolora_ros.samples import Floats, Ints
from taolora_ros.signals.session import SessionPrior, scaled

LIMIT = 100.0  # normal deviations beyond which an input is cut, so that one sample can't blind


@dataclass(frozen=True, eq=False)
class InputLayout:
    """Which channels have a peak input, and how inputs fold back to channels."""

    peak_channels: Ints  # [J] channels with a peak input; the inputs are I = C + J
    peak_scale: Floats  # [J] deviation of the peaks on normal data, in the channel's unit

    def inputs(
        self, prior: SessionPrior, location: Floats, values: Floats, peaks: Floats
    ) -> Floats:
        """Inputs [n, I] of rows.

        Args:
            prior: scales of the channels.
            location: the session's location [C].
            values: cell means [n, C].
            peaks: cell excursions [n, C].
        """
        assert values.shape == peaks.shape == (len(values), len(location)), values.shape
        rows = np.empty((len(values), len(location) + len(self.peak_channels)))
        compiled_inputs()(
            np.ascontiguousarray(values, np.float64),
            np.ascontiguousarray(peaks, np.float64),
            location,
            prior.scale,
            prior.active,
            self.peak_channels,
            self.peak_scale,
            rows,
        )
        return rows

    def fold(self, shares: Floats) -> Floats:
        """Shares [C] of the channels from shares [I] of the inputs."""
        channels = len(shares) - len(self.peak_channels)
        folded = shares[:channels].copy()
        for channel, share in zip(self.peak_channels, shares[channels:], strict=True):
            folded[channel] += share
        return folded


def fit_input_layout(peaks: Floats, active: Floats) -> InputLayout:
    """Give a peak input to each varying channel whose cells mostly hold several samples.

    Args:
        peaks: cell excursions [T, C] of normal rows; 0 where a cell has fewer than two samples.
        active: 1 [C] where the channel varies.
    """
    oversampled = (np.mean(peaks != 0.0, axis=0) > 0.5) & (active > 0)
    channels = np.flatnonzero(oversampled).astype(np.int64)
    scale = np.sqrt(np.mean(peaks[:, channels] ** 2, axis=0))
    return InputLayout(channels, np.where(scale > 0, scale, 1.0))


@functools.cache
def compiled_inputs() -> Callable[..., int]:
    """Compile, or load, what `InputLayout.inputs` runs."""
    stamp = source_stamp()

    @cached_jit_of(
        reads(2), reads(2), reads(1), reads(1), reads(1),
        reads(1, types.int64), reads(1), writes(2),
    )  # fmt: skip
    def inputs(  # type: ignore[no-untyped-def]
        values, peaks, location, scale, active, peak_channels, peak_scale, rows
    ):
        compact()
        channels = len(location)
        for n in range(len(rows)):
            for c in range(channels):
                rows[n, c] = _cut(scaled(values[n, c], location[c], scale[c], active[c]))
            for j in range(len(peak_channels)):
                rows[n, channels + j] = _cut(peaks[n, peak_channels[j]] / peak_scale[j])
        return stamp

    return inputs


@formula
def _cut(value: float) -> float:
    cut: float = np.minimum(np.maximum(value, -LIMIT), LIMIT)
    return cut
