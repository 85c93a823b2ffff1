"""From normal rows to the network's weights.

I inputs a row, T rows a segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from taolora_ros.config import Config
from taolora_ros.errors import CalibrationError
from taolora_ros.model.network import NetworkWeights
from taolora_ros.samples import Float32s
from taolora_ros.training.skip_fit import fit_skip

Progress = Callable[[str, float], None]  # stage, share of it done


def fit_network(
    segments: Sequence[Float32s], config: Config, *, progress: Progress
) -> NetworkWeights:
    """Fit the network to normal segments `[T_i, I]` float32, re-based and scaled.

    Deterministic given `config.training.seed`.

    Raises:
        CalibrationError: too few rows to learn from.
    """
    usable = [segment for segment in segments if segment.shape[0] > config.model.order + 1]
    rows = sum(segment.shape[0] - config.model.order for segment in usable)
    least = 4 * config.model.order
    if rows < least:
        raise CalibrationError(
            f'{rows} normal rows after the first {config.model.order} of each segment are too '
            f'few to learn from; record at least {least * config.period_s:.1f} s without a gap'
        )
    rng = np.random.default_rng(config.training.seed)
    progress('linear skip', 0.0)
    skip = fit_skip(usable, config, rng)
    progress('linear skip', 1.0)
    return NetworkWeights(config=config, skip=skip)
