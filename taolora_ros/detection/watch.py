"""One session under watch: it warms up, re-bases, then turns patches into routed evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.detection.evidence import SHORT_ROWS, EvidenceNorm, Evidences, EvidenceWindows
from taolora_ros.model.base import Precision
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.relation import Relation, RelationWeights
from taolora_ros.routing.router import Router, RouterLimits
from taolora_ros.samples import Floats, Routing
from taolora_ros.signals.inputs import InputLayout
from taolora_ros.signals.session import SessionPrior

TRACK_LIMIT = 3.0  # deviations by which one hop may pull the tracked location


@dataclass(frozen=True, eq=False)
class WatchModel:
    """All that is fitted before scores are calibrated."""

    config: Config
    prior: SessionPrior
    layout: InputLayout
    network: NetworkWeights
    relation: RelationWeights
    limits: RouterLimits
    norm: EvidenceNorm


@dataclass(frozen=True, eq=False)
class Observation:
    """What one token showed."""

    routing: Routing
    evidences: Evidences


class Watch:
    """Streams patches of grid rows; the same for training, evaluation and live operation."""

    def __init__(self, model: WatchModel) -> None:
        config = model.config
        self._model = model
        self._network = Network(model.network)
        self._relation = Relation(
            model.relation,
            group=config.quantization.group,
            activation=config.quantization.activation,
            precision=Precision.INT4_ROUTED,
        )
        self._router = Router(config.router, model.limits, config.hop_s, model.network.inputs)
        self._windows = EvidenceWindows(model.norm)
        patch = config.window.patch
        rows = max(config.detection.warmup_s / config.period_s, self._settling_rows)
        self._warmup_hops = -(-round(rows) // patch)
        self._track = config.hop_s / config.detection.tracking_s
        self._location = model.prior.location
        self.restart()

    @property
    def _settling_rows(self) -> int:
        return self._model.config.model.order + SHORT_ROWS

    def restart(self) -> None:
        """Begin a new session: warm up and re-base again."""
        self._warmup: list[tuple[Floats, Floats]] | None = []
        self._settling_hops = 0
        self._clear()

    def resume(self) -> None:
        """Go on after a short gap: windows empty, the session's location kept."""
        if self._warmup is not None:
            self.restart()
            return
        self._clear()
        self._settling_hops = -(-self._settling_rows // self._model.config.window.patch)

    def _clear(self) -> None:
        self._network.reset()
        self._relation.reset()
        self._router.reset()
        self._windows.clear()

    def step(
        self, values: Floats, peaks: Floats, *, is_frozen: bool = False
    ) -> list[Observation] | Observation | None:
        """Take one patch of rows.

        Args:
            values: cell means [P, C].
            peaks: cell excursions [P, C].
            is_frozen: whether an event is on, so that baselines and location must not follow.

        Returns:
            None while warming up; all observations of the warm-up when that is done; else the
            token's observation.
        """
        if self._warmup is not None:
            self._warmup.append((values, peaks))
            if len(self._warmup) < self._warmup_hops:
                return None
            return self._finish_warmup(self._warmup)
        observation = self._observe(values, peaks, is_frozen=is_frozen)
        if self._settling_hops:
            self._settling_hops -= 1
            return None
        if not is_frozen:
            self._follow(values)
        return observation

    def _finish_warmup(self, warmup: list[tuple[Floats, Floats]]) -> list[Observation]:
        self._location = self._model.prior.rebased(
            np.concatenate([values for values, _ in warmup])
        )
        self._warmup = None
        return [self._observe(values, peaks, is_frozen=False) for values, peaks in warmup]

    def _observe(self, values: Floats, peaks: Floats, *, is_frozen: bool) -> Observation:
        model = self._model
        rows = model.layout.inputs(model.prior, self._location, values, peaks)
        patch = rows.astype(np.float32)
        routing = self._router.step(rows, self._network.clip_share(patch), is_frozen=is_frozen)
        prediction = self._network.step(patch, routing.is_transient)
        departure = self._relation.step(
            patch[:, : model.relation.channels], is_transient=routing.is_transient
        )
        return Observation(
            routing, self._windows.step(rows, rows - prediction, departure.astype(float))
        )

    def _follow(self, values: Floats) -> None:
        departure = (values.mean(axis=0) - self._location) / self._model.prior.scale
        step = np.clip(departure, -TRACK_LIMIT, TRACK_LIMIT) * self._model.prior.scale
        self._location = self._location + self._track * step
