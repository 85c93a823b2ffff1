"""Smoothing and rotation on the GPU, inside the kernels that round.

There is no launch of its own: a rotation alone would write and read every activation once more.

The stages are those of the reference, each one addition or subtraction a number, so the bits are
the same as long as the product with the units is rounded before it is added to: kernels that call
this are compiled without fused multiply-add.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def rotated(x: tl.tensor, units: tl.tensor, GROUP: tl.constexpr) -> tl.tensor:
    """Rows times H, as `kernels.rotate.reference.rotate`.

    Args:
        x: `[M, K]` float32, M and K powers of two, K a multiple of `GROUP`.
        units: `[K]` float32.
        GROUP: G, a power of two up to 256.
    """
    ROWS: tl.constexpr = x.shape[0]
    INPUTS: tl.constexpr = x.shape[1]
    now = x * units[None, :]
    for stage in tl.static_range(8):
        if (1 << stage) < GROUP:
            pairs = tl.reshape(now, (ROWS * INPUTS // (2 << stage), 2, 1 << stage))
            low, high = tl.split(tl.permute(pairs, (0, 2, 1)))
            pairs = tl.permute(tl.join(low + high, low - high), (0, 2, 1))
            now = tl.reshape(pairs, (ROWS, INPUTS))
    return now
