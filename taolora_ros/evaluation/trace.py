"""All that a pipeline said about one recording, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from taolora_ros.evaluation.events import Detection
from taolora_ros.samples import Bools, Floats, Hop, Ints, Phase

S = TypeVar('S', bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """H hops of P rows over C channels, and the events that came out."""

    first_ns: Ints  # [H] stamp of each token's first row
    last_ns: Ints  # [H] stamp of its last row
    is_watching: Bools  # [H] False while warming up
    scores: Floats  # [H] in decades
    thresholds: Floats  # [H]
    is_transient: Bools  # [H] True where the token took the FP16 path
    evidence: Floats  # [H, 3] variance ratio, energy z, clip share
    contributions: Floats  # [H, C]
    detections: tuple[Detection, ...]  # in order of their reports
    period_ns: int  # of the grid
    patch: int  # P

    @property
    def start_ns(self) -> int:
        """Stamp of the very first row; 0 without any."""
        return int(self.first_ns[0]) if len(self.first_ns) else 0

    @property
    def row_stamps_ns(self) -> Ints:
        """[H · P] stamps of the rows of all tokens."""
        offsets = np.arange(self.patch, dtype=np.int64) * self.period_ns
        stamps: Ints = (self.first_ns[:, None] + offsets).ravel()
        return stamps

    def rows(self, values: npt.NDArray[S]) -> npt.NDArray[S]:
        """Repeat one value a hop for each of its P rows: [H] to [H · P]."""
        return np.repeat(values, self.patch)


def record(hops: Iterable[Hop], *, channels: int, patch: int, period_ns: int) -> Trace:
    """Collect what a pipeline yields.

    Args:
        hops: in the order in which they came; a closing hop, which repeats the stamps of the
            token before it to end an event at a gap or at the end, adds no token.
        channels: C.
        patch: rows a token holds.
        period_ns: of the grid.
    """
    tokens: list[Hop] = []
    detections: dict[int, Detection] = {}
    for hop in hops:
        if not tokens or hop.first_ns != tokens[-1].first_ns:
            tokens.append(hop)
        if event := hop.event:
            known = detections.get(event.id)
            raised_ns = known.raised_ns if known else hop.last_ns + period_ns
            detections[event.id] = Detection.of(event, raised_ns)
    routes = [hop.routing for hop in tokens]
    return Trace(
        first_ns=np.array([hop.first_ns for hop in tokens], dtype=np.int64),
        last_ns=np.array([hop.last_ns for hop in tokens], dtype=np.int64),
        is_watching=np.array([hop.phase is Phase.WATCHING for hop in tokens], dtype=np.bool_),
        scores=np.array([hop.score for hop in tokens], dtype=np.float64),
        thresholds=np.array([hop.threshold for hop in tokens], dtype=np.float64),
        is_transient=np.array([route.is_transient for route in routes], dtype=np.bool_),
        evidence=np.array(
            [(route.variance_ratio, route.energy_z, route.clip_share) for route in routes],
            dtype=np.float64,
        ).reshape(-1, 3),
        contributions=np.array([hop.contributions for hop in tokens], dtype=np.float64).reshape(
            -1, channels
        ),
        detections=tuple(detections.values()),
        period_ns=period_ns,
        patch=patch,
    )
