"""What parts of the detector say by themselves.

H hops, E statistics.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from taolora_ros.detection.evidence import Evidence
from taolora_ros.detection.scoring import combine, surprise
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.streaming import Streamed
from taolora_ros.samples import Floats

LINEAR_SKIP = 'linear_skip'
SUBSETS: Mapping[str, tuple[Evidence, ...]] = {
    LINEAR_SKIP: (Evidence.BURST, Evidence.CHANGE, Evidence.DRIFT),
    'window_features': (Evidence.VARIANCE, Evidence.LEVEL, Evidence.STILLNESS),
    'relation': (Evidence.RELATION,),
}
"""The statistics that each part has: of the skip's residual, of the rows, of the relation."""


def part_scores(model: DetectorModel, streamed: Streamed) -> dict[str, Floats]:
    """Scores `[H]` of each part by its name, 0 or above.

    A part's statistics are combined as the detector combines all, the others being as quiet as
    can be. The router's is its largest sign over its limit.

    Args:
        model: the trained detector.
        streamed: what it said.
    """
    surprises = surprise(streamed.statistics, model.scores.tails)
    scores = {'router': router_scores(model, streamed)}
    for name, subset in SUBSETS.items():
        alone = np.zeros_like(surprises)
        alone[:, subset] = surprises[:, subset]
        scores[name] = combine(alone)
    return scores


def router_scores(model: DetectorModel, streamed: Streamed) -> Floats:
    """`[H]` the largest sign of a transient over its limit."""
    limits = model.watch.limits
    signs = np.array([limits.variance_ratio, limits.energy_z, limits.clip_share])
    largest: Floats = (streamed.trace.evidence / signs).max(axis=1, initial=0.0)
    return largest
