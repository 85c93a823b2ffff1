"""Departures and what they add up to, in compiled code: of one hop live, of many in training.

n hops, E statistics, I inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numba import types

from taolora_ros.kernels.jit import cached_jit_of, compact, formula, reads, source_stamp, writes
from taolora_ros.samples import Floats

MUTE = 1e9  # spread of an input that has no say in a statistic
QUIET = 1e-3  # mean square below which a statistic says nothing


@functools.cache
def compiled_gather() -> Callable[..., int]:
    """Compile, or load, what turns features into statistics.

    Its arguments are the features [n, E, I]; offset, center and spread of each [E, I]; which
    statistics are of signed means [E] and which of a single input [E]; and, overwritten, the
    departures [n, E, I], the share of each input [n, E, I] and the values [n, E].
    """
    stamp = source_stamp()

    @cached_jit_of(
        reads(3), reads(2), reads(2), reads(2), reads(1, types.boolean), reads(1, types.boolean),
        writes(3), writes(3), writes(2),
    )  # fmt: skip
    def gather(  # type: ignore[no-untyped-def]
        features, offset, center, spread, is_mean, is_largest, z, shares, values
    ):
        compact()
        for n in range(len(features)):
            for e in range(len(spread)):
                above, total = shares[n, e], 0.0
                for i in range(len(above)):
                    rebased = features[n, e, i] - offset[e, i]
                    z[n, e, i] = _departure(rebased, center[e, i], spread[e, i], is_mean[e])
                    above[i] = np.maximum(z[n, e, i], 0.0) ** 2  # none below the center
                    total += above[i]
                values[n, e] = _statistic(z[n, e], above, is_largest[e])
                if total > 0.0:
                    for i in range(len(above)):
                        above[i] /= total
        return stamp

    return gather


@formula
def _departure(rebased: float, center: float, spread: float, is_mean: bool) -> float:
    if spread >= MUTE:
        return 0.0
    z = (rebased - center) / spread
    return abs(z) if is_mean else z


@formula
def _statistic(z: Floats, above: Floats, is_largest: bool) -> float:
    """Value of one statistic, from its departures [I] and the squares [I] of those above 0."""
    compact()
    value: float = z.max() if is_largest else np.log(above.mean() + QUIET)
    return value
