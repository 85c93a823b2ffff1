"""The fidelity watch: the FP32 twin of the network runs on a share of the hops beside 4 bits.

A twin that began with the session would give every score; here it gives the same ones for a small
part of the work. It takes the tokens of the warm-up once, which tell its own offsets. Later it
joins for a stretch of hops, at the session's location: the first ones are its lead, in which its
states and windows turn over, and the others are compared. Nothing older than the lead has a part
in a score, so each is the score that a twin without pauses would give.

Tokens wait in a queue of one stretch. The twin takes them between two drains, one at a time, as
far as its usual time for one fits; a stretch that finds the queue full is dropped and counted.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config
from taolora_ros.detection.evidence import LONG_ROWS
from taolora_ros.detection.scoring import score
from taolora_ros.detection.watch import Watch
from taolora_ros.engine import DetectorModel, Taken
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import at_precision
from taolora_ros.model.fallback import settling_hops
from taolora_ros.nodes.status import Agreement
from taolora_ros.samples import Floats, Phase

_TIMED = 32  # tokens whose times tell the usual one
_PATIENCE = 1000  # times without room for a token, after which one is tried all the same
_TRIALS = 8  # tokens that the twin takes beforehand, to be warm and timed


def lead_hops(config: Config) -> int:
    """Hops after which a score depends on nothing that came before them."""
    return settling_hops(config) + -(-LONG_ROWS // config.window.patch)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    taken: Taken
    is_first: bool  # of its stretch
    is_compared: bool


class Shadow:
    """Takes tokens of the live engine, and compares the scores of some with the FP32 twin's."""

    def __init__(
        self, model: DetectorModel, fraction: float, *, clock_ns: Callable[[], int]
    ) -> None:
        """Build the twin, and see how long it takes.

        Args:
            model: the trained detector.
            fraction: share of the scored hops to compare, above 0 and up to 1.
            clock_ns: a monotonic clock.

        Raises:
            ArtifactError: the model was saved without its FP32 twin.
        """
        config = model.config
        self._model = model
        self._fraction = fraction
        self._clock_ns = clock_ns
        self._lead = lead_hops(config)
        self._compared = self._lead  # hops of a stretch that are compared: the lead doubles them
        self._twin = Watch(
            model.watch, at_precision(Precision.FP32, config.quantization.activation)
        )
        self._times_ns: deque[int] = deque(maxlen=_TIMED)
        self._try_out(config.window.patch)
        self.reset()

    def _try_out(self, patch: int) -> None:
        location = self._model.watch.prior.location
        values = np.tile(location, (patch, 1))
        self._twin.join(location)
        for _ in range(_TRIALS):
            start_ns = self._clock_ns()
            self._twin.step(values, np.zeros_like(values))
            self._times_ns.append(self._clock_ns() - start_ns)

    def reset(self) -> None:
        """Forget everything: the live engine begins a new session, and counts are 0."""
        self._hops = self._differing = self._dropped = self._refusals = 0
        self._sum = self._largest = 0.0
        self._random = np.random.default_rng(0)  # stretches must not keep time with the robot
        self._credit = self._next = 0.0  # hops to compare by now; as many begin a stretch
        self._waiting: deque[_Waiting] = deque()
        self._begin_session()

    def _begin_session(self) -> None:
        self._dropped += bool(self._waiting)
        self._waiting.clear()
        self._segment = -1
        self._warmup: deque[Taken] = deque()
        self._features: list[Floats] = []  # [E, I] of the warm-up's tokens, by the twin
        self._location: Floats | None = None  # [C] at the end of the warm-up
        self._offset: Floats | None = None  # [E, I]
        self._stop()

    def _stop(self) -> None:
        self._to_lead = self._to_compare = 0

    @property
    def agreement(self) -> Agreement:
        """What has been compared so far."""
        mean = self._sum / self._hops if self._hops else 0.0
        return Agreement(self._hops, self._differing, mean, self._largest, self._dropped)

    @property
    def waiting(self) -> int:
        """Tokens that the twin has yet to take, those of the warm-up included."""
        return len(self._warmup) + len(self._waiting)

    def take(self, taken: Taken) -> None:
        """Note what the live engine took; costs next to nothing.

        Args:
            taken: every token of the session, in order.
        """
        is_broken, self._segment = taken.segment != self._segment, taken.segment
        if taken.is_warming:
            if is_broken:
                self._begin_session()
                self._segment = taken.segment
            self._warmup.append(taken)
            return
        if self._location is None:
            self._location = taken.location
        if is_broken:
            self._stop()
        if taken.hop.phase is Phase.WATCHING:
            self._credit = min(self._credit + self._fraction, self._lead + self._compared)
            self._enlist(taken)

    def _enlist(self, taken: Taken) -> None:
        """Let the token wait for the twin if a stretch goes on or begins."""
        is_first = not self._to_compare
        if is_first:
            if self._credit < self._next:
                return
            self._to_lead, self._to_compare = self._lead, self._compared
        if len(self._waiting) == self._lead + self._compared:
            self._dropped += 1
            self._credit -= self._to_compare
            self._stop()
            return
        is_compared = not self._to_lead
        self._waiting.append(_Waiting(taken, is_first, is_compared))
        if not is_compared:
            self._to_lead -= 1
            return
        self._credit -= 1.0
        self._to_compare -= 1
        if not self._to_compare:
            if self._credit > 0.0:  # the next one is due: it needs no lead
                self._to_compare = self._compared
            self._next = self._random.uniform(0.0, self._compared)

    def work(self, spare_ns: int) -> None:
        """Let the twin take tokens while there is time for one more.

        Args:
            spare_ns: how long that may take; nothing is done where there is none.
        """
        if spare_ns <= 0:
            return
        end_ns = self._clock_ns() + spare_ns
        while self.waiting:
            start_ns = self._clock_ns()
            if start_ns + statistics.median(self._times_ns) > end_ns:
                self._refusals += 1
                if self._refusals < _PATIENCE:
                    return
            self._refusals = 0
            if not self.step():
                return
            self._times_ns.append(self._clock_ns() - start_ns)

    def step(self) -> bool:
        """Let the twin take one token; whether there was one."""
        if self._location is not None and self._warmup:
            self._rehearse(self._warmup.popleft(), self._location)
        elif self._waiting:
            self._follow(self._waiting.popleft())
        else:
            return False
        return True

    def _rehearse(self, taken: Taken, location: Floats) -> None:
        """Take a token of the warm-up; the last one tells the offset, as in `Watch`."""
        if not self._features:
            self._twin.join(location)
        # Frozen, the location stays where the warm-up put it.
        observed = self._twin.step(taken.values, taken.peaks, is_frozen=True)
        assert observed is not None, 'a watch that joined has warmed up'
        self._features.append(observed.features)
        if not self._warmup:
            self._offset = self._model.watch.norm.offset(np.stack(self._features))
            self._features = []

    def _follow(self, waiting: _Waiting) -> None:
        taken = waiting.taken
        if waiting.is_first:
            self._twin.join(taken.location, self._offset)
        observed = self._twin.step(taken.values, taken.peaks, is_frozen=taken.is_frozen)
        assert observed is not None, 'a watch that joined has warmed up'
        if not waiting.is_compared:
            return
        twin = score(observed.evidences, self._model.scores).value
        hop = taken.hop
        difference = abs(hop.score - twin)
        self._hops += 1
        self._sum += difference
        self._largest = max(self._largest, difference)
        self._differing += (hop.score >= hop.threshold) != (twin >= hop.threshold)
