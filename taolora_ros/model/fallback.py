"""A second engine that takes over when the first one fails, without losing a sample.

A GPU may go away between two hops. Its state goes with it, so the newest hops are remembered as
they came in, patch and mask, as many as the state depends on. When the first engine raises, the
spare is reset, takes those hops again, and then the very patch that failed: its predictions are
what they would have been, had it run from the start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from taolora_ros.config import Config
from taolora_ros.logging import logger
from taolora_ros.model.correction import dilation
from taolora_ros.model.relation import LAGS
from taolora_ros.samples import Float32s

log = logger(__name__)

Result = TypeVar('Result')


class HopEngine(Protocol):
    """What runs a network and the relation beside it hop by hop."""

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""

    def clip_share(self, patch: Float32s) -> float:
        """Share of the activations of a patch `[P, I]` beyond the steady INT4 clip."""

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]`, then remember it."""

    @property
    def departure(self) -> Float32s:
        """What the patch taken last departs from the relation, `[P, C]`."""


def settling_hops(config: Config) -> int:
    """Hops after which a network's state says nothing of what came before them.

    The skip looks back `order` rows, the relation as far as its lags. Each block's convolution
    looks back (kernel − 1)·dilation tokens at what the block before it gave, and the first
    token's differences need a row more.
    """
    shape = config.model
    rows = -(-max(shape.order, LAGS[-1]) // config.window.patch)
    tokens = sum((shape.kernel - 1) * dilation(block, shape) for block in range(shape.blocks))
    return max(rows, tokens + 1) + 1


class Fallback:
    """Runs the first engine until it fails, and the spare from then on."""

    def __init__(
        self, make_first: Callable[[], HopEngine], spare: HopEngine, *, hops: int
    ) -> None:
        """Make ready; the spare is built beforehand, since building it might fail as well.

        Args:
            make_first: builds the engine to run; the spare takes over if it can't.
            spare: the one that can't fail; both at the start of a segment.
            hops: how many to remember; `settling_hops` of the network's settings.
        """
        self._spare = self._engine = spare
        self._seen: deque[tuple[Float32s, bool]] = deque(maxlen=hops)
        self.failure = ''  # why the first engine was given up; empty while it runs
        try:
            self._engine = make_first()
        except Exception as error:  # whatever a driver raises
            self._give_up(error)

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
        self._seen.clear()
        self._try(lambda engine: engine.reset())

    def clip_share(self, patch: Float32s) -> float:
        """Share of the activations of a patch `[P, I]` beyond the steady INT4 clip."""
        return self._try(lambda engine: engine.clip_share(patch))

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]`, then remember it."""
        kept = patch.copy()  # a failing device may leave anything in the other

        def step(engine: HopEngine) -> Float32s:
            return engine.step(kept if engine is self._spare else patch, is_transient)

        prediction = self._try(step)
        if not self.failure:
            self._seen.append((kept, is_transient))
        return prediction

    @property
    def departure(self) -> Float32s:
        """What the patch taken last departs from the relation, `[P, C]`."""
        return self._engine.departure

    def _try(self, call: Callable[[HopEngine], Result]) -> Result:
        """Call the first engine, or the spare once that has failed."""
        if not self.failure:
            try:
                return call(self._engine)
            except Exception as error:  # whatever a driver raises
                self._give_up(error)
        return call(self._spare)

    def _give_up(self, error: Exception) -> None:
        """Bring the spare to where the first engine was before it failed."""
        self.failure = f'{type(error).__name__}: {error}'
        self._engine = self._spare
        self._spare.reset()
        for patch, is_transient in self._seen:
            self._spare.step(patch, is_transient)
        log.error(
            'the engine failed; the CPU engine goes on from the same hop',
            reason=self.failure,
            replayed_hops=len(self._seen),
        )
        self._seen.clear()
