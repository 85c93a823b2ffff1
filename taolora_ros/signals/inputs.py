"""From grid rows to what the network sees: re-based channels, and the peaks beside them.

A channel sampled faster than the grid has two inputs: the mean of each cell, and how far the
cell's farthest sample lies from it, so that no short impact is averaged away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Floats, Ints
from taolora_ros.signals.session import SessionPrior

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
        scaled = prior.scaled(values, location)
        excursions = peaks[:, self.peak_channels] / self.peak_scale
        return np.clip(np.concatenate([scaled, excursions], axis=1), -LIMIT, LIMIT)

    def fold(self, shares: Floats) -> Floats:
        """Shares [C] of the channels from shares [I] of the inputs."""
        channels = len(shares) - len(self.peak_channels)
        folded = shares[:channels].copy()
        np.add.at(folded, self.peak_channels, shares[channels:])
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
