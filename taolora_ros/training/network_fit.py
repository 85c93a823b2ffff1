"""From normal rows to the network's weights.

I inputs a row, T rows a segment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from taolora_ros.config import Config
from taolora_ros.errors import CalibrationError, ConfigError
from taolora_ros.model.network import NetworkWeights
from taolora_ros.samples import Float32s
from taolora_ros.training.skip_fit import fit_skip

Progress = Callable[[str, float], None]  # stage, share of it done

LEAST_GAIN = 0.02  # of the skip's loss on held-out rows; a correction that gains less is dropped

_log = logging.getLogger(__name__)


def fit_network(
    segments: Sequence[Float32s],
    config: Config,
    *,
    progress: Progress,
    with_correction: bool = True,
) -> NetworkWeights:
    """Fit the network to normal segments `[T_i, I]` float32, re-based and scaled.

    Deterministic given `config.training.seed`. The nonlinear correction stays only where it
    beats the skip alone on rows that it was not trained on: whole segments where there are five
    or more, else the end of each.

    Args:
        segments: normal rows without a gap.
        config: settings; they travel with the weights.
        progress: told the stage and the share of it that is done, 0 to 1.
        with_correction: whether to try a correction, e.g. False for the folds of a network that
            has none.

    Raises:
        CalibrationError: too few rows to learn from.
        ConfigError: a correction is asked for where torch is not installed.
    """
    usable = [segment for segment in segments if segment.shape[0] > config.model.order + 1]
    rows = sum(segment.shape[0] - config.model.order for segment in usable)
    least = 4 * config.model.order
    if rows < least:
        raise CalibrationError(
            f'{rows} normal rows after the first {config.model.order} of each segment are too '
            f'few to learn from; record at least {least * config.period_s:.1f} s without a gap'
        )
    progress('linear skip', 0.0)
    skip = fit_skip(usable, config, np.random.default_rng(config.training.seed))
    progress('linear skip', 1.0)
    alone = NetworkWeights(config=config, skip=skip)
    if not with_correction or config.model.blocks == 0 or config.training.epochs == 0:
        return alone
    return _corrected(usable, alone, progress)


def _corrected(
    segments: Sequence[Float32s], alone: NetworkWeights, progress: Progress
) -> NetworkWeights:
    """The network with a correction, or without where that is no worse."""
    try:  # torch takes seconds and 250 MB to import, and the skip alone does without
        from taolora_ros.training.correction_fit import fit_correction, gain_on_held_out
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'{error.name} is needed to train the correction: pip install torch, or set '
            f'model.blocks to 0'
        ) from None
    stage = 'correction'
    correction = fit_correction(
        segments,
        alone.skip,
        alone.config,
        least_gain=LEAST_GAIN,
        progress=lambda share: progress(stage, share),
    )
    if correction is None:
        _log.info('a correction gains nothing on held-out rows: the linear skip works alone')
        progress('correction left out: it gains nothing', 1.0)
        return alone
    whole = NetworkWeights(config=alone.config, skip=alone.skip, correction=correction)
    gain = gain_on_held_out(whole, segments)
    if gain < LEAST_GAIN:
        _log.info('the correction removes %.1f %% of the residual: the skip alone', 100 * gain)
        progress(f'correction left out: it removes {100 * gain:.1f} % of the residual', 1.0)
        return alone
    _log.info('the correction removes %.1f %% of the residual', 100 * gain)
    progress(f'correction kept: it removes {100 * gain:.1f} % of the residual', 1.0)
    return whole
