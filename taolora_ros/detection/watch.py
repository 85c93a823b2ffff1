"""One session under watch: it warms up, re-bases, then turns patches into routed evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config, Device
from taolora_ros.detection.evidence import SHORT_ROWS, EvidenceNorm, Evidences, gather
from taolora_ros.detection.features import EvidenceWindows
from taolora_ros.detection.gathering import compiled_gather
from taolora_ros.model.dual_path import BuildLayer, DualPathWeights
from taolora_ros.model.engines import hop_engine
from taolora_ros.model.fallback import Fallback, HopEngine
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.relation import RelatedNetwork, Relation, RelationWeights
from taolora_ros.routing.router import Router, RouterLimits
from taolora_ros.samples import Floats, Routing
from taolora_ros.signals.inputs import InputLayout, compiled_inputs
from taolora_ros.signals.session import SessionPrior, compiled_follow


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

    def layers(self) -> dict[str, DualPathWeights]:
        """All dense layers by the names under which they are built."""
        return {**self.network.layers(), 'relation': self.relation.linear}

    @property
    def packed_bytes(self) -> int:
        """Bytes of network and relation as they run at 4 bits, the FP16 path included."""
        return self.network.packed_bytes + self.relation.linear.packed_bytes

    @property
    def numbers(self) -> int:
        """Parameters of both without rounding."""
        return self.network.numbers + self.relation.numbers


@dataclass(frozen=True, eq=False)
class Observation:
    """What one token showed."""

    routing: Routing
    features: Floats  # [E, I]
    evidences: Evidences


def settling_rows(config: Config) -> int:
    """Rows that fill the short windows, without which a score means nothing."""
    return config.model.order + SHORT_ROWS


def rebasing_rows(config: Config) -> int:
    """Rows that a session re-bases on; 0 where it doesn't, `warmup_s` being 0."""
    return warmup_rows(config) if config.detection.warmup_s else 0


def warmup_rows(config: Config) -> int:
    """Rows before the first score: `warmup_s`, but whole tokens and filled windows."""
    rows = max(round(config.detection.warmup_s / config.period_s), settling_rows(config))
    return -(-rows // config.window.patch) * config.window.patch


def _engine(model: WatchModel, build: BuildLayer | None, device: Device) -> HopEngine:
    if build is None:
        return hop_engine(model.network, model.relation, device)
    return RelatedNetwork(
        Network(model.network, build=build), Relation(model.relation, build=build)
    )


class Watch:
    """Streams patches of grid rows; the same for training, evaluation and live operation."""

    def __init__(
        self,
        model: WatchModel,
        build: BuildLayer | None = None,
        *,
        device: Device = Device.CPU,
    ) -> None:
        """Start a session.

        Args:
            model: all that is fitted before scores are calibrated.
            build: the arithmetic of the dense layers, layer by layer; by default the engine of
                routed TAO-LoRA.
            device: where that engine runs, CPU or CUDA.

        Raises:
            ArtifactError: `build` can't run a layer, e.g. one without its FP32 twin in FP32.
        """
        config = model.config
        self._model = model
        self._network = _engine(model, build, device)
        self._router = Router(config.router, model.limits, config.hop_s, model.network.inputs)
        self._windows = EvidenceWindows(model.network.inputs)
        for load in (compiled_inputs, compiled_follow, compiled_gather):
            load()  # now: no hop waits
        self._warmup_hops = warmup_rows(config) // config.window.patch
        self._settle_hops = -(-settling_rows(config) // config.window.patch)
        self._blind_hops = -(-config.model.order // config.window.patch)
        self._track = min(1.0, config.hop_s / config.detection.tracking_s)
        self._location = model.prior.location
        self._offset = np.zeros_like(model.norm.center)
        self.warmup: Floats = np.empty((0, *model.norm.center.shape))  # features [m, E, I]
        self.segment = 0  # counts up whenever the windows are emptied from outside
        self.restart()

    @property
    def failure(self) -> str:
        """Why the GPU was given up; empty while it runs, and on the CPU."""
        return self._network.failure if isinstance(self._network, Fallback) else ''

    @property
    def is_warming(self) -> bool:
        """Whether the session's warm-up is not complete yet."""
        return self._warmup is not None

    @property
    def location(self) -> Floats:
        """What the channels are measured from now, [C]; not the session's while warming up."""
        return self._location

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
        self._settling_hops = self._settle_hops

    def join(self, location: Floats, offset: Floats | None = None) -> None:
        """Go on in a session that another watch warmed up for; windows empty.

        What the next tokens show depends on rows that this watch has not seen, until the state of
        the network and all windows have turned over.

        Args:
            location: of the session before the next token, [C].
            offset: of the session's features, [E, I], as `EvidenceNorm.offset` tells it; zeros
                where they are to be seen as they are.
        """
        self._location = location
        self._offset = np.zeros_like(self._offset) if offset is None else offset
        self._warmup = None
        self._settling_hops = 0
        self._clear()

    def _clear(self) -> None:
        self.segment += 1
        self._network.reset()
        self._router.reset()
        self._windows.clear()

    def step(
        self, values: Floats, peaks: Floats, *, is_frozen: bool = False
    ) -> Observation | None:
        """Take one patch of rows.

        Args:
            values: cell means [P, C].
            peaks: cell excursions [P, C].
            is_frozen: whether an event is on, so that baselines and location must not follow.

        Returns:
            What the token showed; None while warming up, and while windows fill after a gap.
        """
        if self._warmup is not None:
            self._warmup.append((values, peaks))
            if len(self._warmup) == self._warmup_hops:
                self._finish_warmup(self._warmup)
            return None
        observation = self._observe(values, peaks, is_frozen=is_frozen)
        if self._settling_hops:
            self._settling_hops -= 1
            if self._settling_hops == self._settle_hops - self._blind_hops:
                self._windows.clear()  # of what was predicted from a past that had yet to fill
            return None
        if not is_frozen:
            self._location = self._model.prior.followed(self._location, values, self._track)
        return observation

    def _finish_warmup(self, warmup: list[tuple[Floats, Floats]]) -> None:
        """Re-base on the warm-up, and run it again for the features that are usual now."""
        self._location = self._model.prior.rebased(
            np.concatenate([values for values, _ in warmup])
        )
        self._offset = np.zeros_like(self._offset)
        seen = [self._observe(values, peaks, is_frozen=False) for values, peaks in warmup]
        self.warmup = np.stack([token.features for token in seen])
        self._offset = self._model.norm.offset(self.warmup)
        self._warmup = None

    def _observe(self, values: Floats, peaks: Floats, *, is_frozen: bool) -> Observation:
        model = self._model
        rows = model.layout.inputs(model.prior, self._location, values, peaks)
        patch = rows.astype(np.float32)
        routing = self._router.step(rows, self._network.clip_share(patch), is_frozen=is_frozen)
        prediction = self._network.step(patch, routing.is_transient)
        features = self._windows.step(rows, rows - prediction, self._network.departure)
        return Observation(routing, features, gather(features, model.norm, self._offset))
