"""A peer that holds the last tokens and runs the whole network over them at every hop.

P rows a patch, I inputs a row, n tokens of the window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from taolora_ros.samples import Float32s

# From the window's rows [1 + n·P, I] to the skip's prediction of its newest patch and the
# correction of the patch after it, both [P, I].
RunWindow = Callable[[Float32s], tuple[Float32s, Float32s]]


class WindowPeer:
    """Steps like our engines, so that all are called alike.

    Exact once the window has filled and reaches as far back as the network does.

    Args:
        run: the network over a window.
        tokens: n.
        patch: P.
        inputs: I.
    """

    def __init__(self, run: RunWindow, *, tokens: int, patch: int, inputs: int) -> None:
        self._run = run
        self._rows: Float32s = np.zeros((1 + tokens * patch, inputs), np.float32)
        self._pending: Float32s = np.zeros((patch, inputs), np.float32)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]` from what came before each row; a peer has no mask."""
        size = patch.shape[0]
        self._rows[:-size] = self._rows[size:]
        self._rows[-size:] = patch
        skip, correction = self._run(self._rows)
        prediction: Float32s = skip + self._pending
        self._pending = correction
        return prediction
