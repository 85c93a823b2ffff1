"""Streaming inference: grid rows in, hops with scores, routes and events out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import MAX_MIN_DURATION_S, Config, Device, flat
from taolora_ros.detection.events import EventTracker
from taolora_ros.detection.scoring import Score, ScoreCalibration, compiled_score, score
from taolora_ros.detection.thresholds import AlarmRate
from taolora_ros.detection.watch import Observation, Watch, WatchModel, warmup_rows
from taolora_ros.errors import ArtifactError
from taolora_ros.model.dual_path import BuildLayer
from taolora_ros.preservation.buffer import OutlierBuffer
from taolora_ros.samples import NS_PER_S, Event, Floats, Gap, Hop, Phase, Routing, Row

# Settings that are part of what was learned, by the beginning of their dotted name.
TRAINED = (
    'window.',
    'model.',
    'quantization.',
    'router.',
    'ingest.sample_rate_hz',
    'ingest.fill',
    'detection.warmup_s',
    'detection.tracking_s',
)

_STEADY = Routing(is_transient=False, variance_ratio=1.0, energy_z=0.0, clip_share=0.0)


@dataclass(frozen=True, eq=False)
class DetectorModel:
    """A trained detector: everything that an artifact holds."""

    channels: tuple[str, ...]  # [C] concrete, e.g. '/joint_states:effort[elbow]'
    watch: WatchModel
    scores: ScoreCalibration
    alarms: AlarmRate
    trained_on: tuple[str, ...]  # names of the normal recordings

    @property
    def config(self) -> Config:
        """The settings it was trained with."""
        return self.watch.config


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """One token as the engine took it: all that a twin needs to take it in the same way."""

    values: Floats  # [P, C]
    peaks: Floats  # [P, C]
    location: Floats  # [C] of the session before the token; not yet its own while warming up
    is_frozen: bool  # whether an event held the baselines
    is_warming: bool  # whether the token is one of the warm-up
    segment: int  # tokens of one segment follow each other without a break
    hop: Hop


class Engine:
    """Pushes rows through a trained detector, one hop at a time."""

    def __init__(
        self,
        model: DetectorModel,
        config: Config | None = None,
        *,
        build: BuildLayer | None = None,
        device: Device = Device.CPU,
    ) -> None:
        """Start a session.

        Args:
            model: the trained detector.
            config: settings for detection and preservation; the model's own by default.
            build: the arithmetic of the dense layers; routed TAO-LoRA by default.
            device: where the network runs, CPU or CUDA.

        Raises:
            ArtifactError: `config` asks for something that the model was not trained for, or
                `build` for FP32 weights that it was saved without.
        """
        self.model = model
        self._config = config or model.config
        require_trained(model.config, self._config)
        self._patch = model.config.window.patch
        self._period_ns = NS_PER_S / model.config.ingest.sample_rate_hz
        self._watch = Watch(model.watch, build, device=device)
        compiled_score()  # loaded now: no hop waits
        self.observation: Observation | None = None  # behind the newest score; None while warming
        self._tracker = EventTracker(self._config.detection, self._period_ns)
        self.buffer = OutlierBuffer(
            self._config.preservation,
            len(model.channels),
            model.config.period_s,
            lead_rows=self._patch + round(MAX_MIN_DURATION_S / model.config.period_s),
        )
        self.on_taken: Callable[[Taken], None] | None = None  # told of every token
        self._rows: list[Row] = []
        self._first_ns = self._last_ns = 0
        self._set_threshold()

    @property
    def failure(self) -> str:
        """Why the GPU was given up; empty while it runs, and on the CPU."""
        return self._watch.failure

    def _set_threshold(self) -> None:
        self.threshold = self.model.alarms.threshold(self._config.detection.false_alarms_per_hour)

    def retune(self, config: Config) -> None:
        """Take new detection settings between two hops; the session goes on.

        Raises:
            ArtifactError: they ask for something that the model was not trained for.
        """
        require_trained(self.model.config, config)
        self._config = config
        self._tracker.retune(config.detection)
        self._set_threshold()

    def push(self, item: Row | Gap) -> Hop | None:
        """Take one row or gap; a hop comes out when a token is complete, or an event must end."""
        if isinstance(item, Gap):
            return self._pass_gap(item)
        if not self._rows and round(item.stamp_ns / self._period_ns) % self._patch:
            return None  # tokens begin at multiples of the patch, wherever a stream was joined
        self.buffer.push(item)
        self._rows.append(item)
        if len(self._rows) < self._patch:
            return None
        rows, self._rows = self._rows, []
        return self._step(rows)

    def finish(self) -> Hop | None:
        """End the stream; the hop that closes the open event repeats the stamps of the last."""
        event = self._tracker.finish()
        self.buffer.follow(event)
        self.buffer.clear()
        self._rows = []
        self._watch.resume()
        return self._unscored(Phase.WATCHING, event) if event else None

    def reset(self) -> None:
        """Begin a new session: warm up and re-base again.

        An open event is dropped; `finish` first to hear of its end.
        """
        self.rebase()

    def rebase(self) -> Hop | None:
        """Warm up and re-base the channels on the next rows; events go on being numbered.

        Returns:
            The hop that closes the open event; None without one.
        """
        closing = self.finish()
        self._watch.restart()
        return closing

    def _pass_gap(self, gap: Gap) -> Hop | None:
        """Restart the windows; re-base too if the gap is longer than a warm-up, or runs back."""
        silence_s = (gap.end_ns - gap.start_ns) / NS_PER_S
        closing = self.finish()
        warmup_s = warmup_rows(self.model.config) * self.model.config.period_s
        if not 0.0 <= silence_s < warmup_s:
            self.reset()
        return closing

    def _is_frozen(self) -> bool:
        """Whether an event holds the baselines; what outlasts `tracking_s` becomes usual."""
        onset_ns = self._tracker.onset_ns
        if onset_ns is None:
            return False
        return self._first_ns - onset_ns < self._config.detection.tracking_s * NS_PER_S

    def _step(self, rows: list[Row]) -> Hop:
        self._first_ns, self._last_ns = rows[0].stamp_ns, rows[-1].stamp_ns
        shape = (len(rows), len(self.model.channels))
        values = np.concatenate([row.values for row in rows]).reshape(shape)
        peaks = np.concatenate([row.peaks for row in rows]).reshape(shape)
        is_frozen, watch = self._is_frozen(), self._watch
        if self.on_taken is None:
            return self._scored(watch.step(values, peaks, is_frozen=is_frozen))
        before = watch.location, is_frozen, watch.is_warming, watch.segment
        hop = self._scored(watch.step(values, peaks, is_frozen=is_frozen))
        self.on_taken(Taken(values, peaks, *before, hop))
        return hop

    def _scored(self, observed: Observation | None) -> Hop:
        self.observation = observed
        if observed is None:
            return self._unscored(Phase.WARMING, None)
        scored = score(observed.evidences, self.model.scores)
        contributions = self.model.watch.layout.fold(scored.shares)
        event = self._tracker.step(
            self._first_ns,
            self._last_ns,
            scored,
            self.threshold,
            contributions,
            is_transient=observed.routing.is_transient,
        )
        self.buffer.follow(event)
        return self._hop(Phase.WATCHING, scored, contributions, observed.routing, event)

    def _unscored(self, phase: Phase, event: Event | None) -> Hop:
        nothing = np.zeros(len(self.model.channels))
        return self._hop(phase, Score(0.0, 1.0, nothing), nothing, _STEADY, event)

    def _hop(
        self,
        phase: Phase,
        scored: Score,
        contributions: Floats,
        routing: Routing,
        event: Event | None,
    ) -> Hop:
        return Hop(
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            phase=phase,
            score=scored.value,
            threshold=self.threshold,
            p_value=scored.p_value,
            contributions=contributions,
            routing=routing,
            event=event,
        )


def require_trained(trained: Config, wanted: Config) -> None:
    """Refuse settings that only another training can bring about.

    Raises:
        ArtifactError: names the first that differs, with both values.
    """
    if odd := sorted({*trained.channels} ^ {*wanted.channels}):
        lack = 'does not watch' if odd[0] in wanted.channels else 'watches'
        raise ArtifactError(
            f'channels: the settings are for others than the artifact, which {lack} {odd[0]}; '
            'leave channels out, or train again'
        )
    ours, theirs = flat(trained), flat(wanted)
    for name in ours:
        if name.startswith(TRAINED) and ours[name] != theirs[name]:
            raise ArtifactError(
                f'{name}: {theirs[name]!r} is asked for, but the artifact was trained with '
                f'{ours[name]!r}; leave the setting out, or train again'
            )
