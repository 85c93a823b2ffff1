"""The precisions that the network can run at."""

from __future__ import annotations

import enum


class Precision(enum.Enum):
    """Which arithmetic the network's dense layers use."""

    FP32 = 'fp32'  # the shadow twin, without rounding; needs the dense weights
    INT4_ROUTED = 'int4_routed'  # TAO-LoRA: the mask opens the FP16 path
    INT4_NEVER = 'int4_never'  # every token is taken for steady
    INT4_ALWAYS = 'int4_always'  # every token is taken for transient
