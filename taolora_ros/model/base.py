"""What every predictor offers, and the precisions that it can run at."""

from __future__ import annotations

import enum
from typing import Protocol

from taolora_ros.samples import Bools, Float32s


class Precision(enum.Enum):
    """Which arithmetic the network's dense layers use."""

    FP32 = 'fp32'  # the shadow twin, without rounding; needs the dense weights
    INT4_ROUTED = 'int4_routed'  # TAO-LoRA: the mask opens the FP16 path
    INT4_NEVER = 'int4_never'  # every token is taken for steady
    INT4_ALWAYS = 'int4_always'  # every token is taken for transient


class Predictor(Protocol):
    """Predicts rows from the rows before them, a patch at a time.

    P rows a patch, I inputs a row, T rows a recording.
    """

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """The prediction `[P, I]` of the patch `[P, I]` from what came before each row."""

    def run(self, rows: Float32s, is_transient: Bools) -> Float32s:
        """The predictions `[T, I]` of a whole recording, mask `[T/P]`; equal to stepping."""

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
