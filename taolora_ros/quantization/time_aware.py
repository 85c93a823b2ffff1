"""Calibration of the steady activation scale: a low clip that normal tokens rarely exceed.

M rows, K inputs, G group size.
"""

from __future__ import annotations

import numpy as np

from taolora_ros.quantization.int4 import LARGEST, SMALLEST_SCALE, Halves
from taolora_ros.samples import Float32s, Floats

_SHARES = np.linspace(1.0, 0.3, 29)  # of the largest normal activation, tried as the clip
_MOST_ROWS = 8192  # rows of the search; the scale is one number a group, so more add nothing


def fit_steady_scales(
    inputs: Float32s | Floats,
    *,
    group: int,
    quantile: float = 0.9999,
    importance: Floats | None = None,
) -> Halves:
    """The steady scale of every group, `[K/G]` float16, by MSE search over clipping.

    Args:
        inputs: `[M, K]` activations on normal data, K a multiple of `group`.
        group: inputs that share a scale.
        quantile: of the magnitudes, where the search starts; what lies beyond is left to the
            transient path.
        importance: `[K]` weight of each input's squared error, e.g. the power of its row of W.
    """
    stride = max(1, inputs.shape[0] // _MOST_ROWS)
    rows = np.asarray(inputs[::stride], np.float64)
    weight = np.ones(rows.shape[1]) if importance is None else np.asarray(importance, np.float64)
    scales = np.ones(rows.shape[1] // group)
    for index in range(scales.shape[0]):
        columns = slice(index * group, (index + 1) * group)
        block, power = rows[:, columns], weight[columns]
        start = float(np.quantile(np.abs(block), quantile))
        if start <= 0.0:  # padding, or channels that never moved: any scale rounds 0 to 0
            continue
        errors = [(_error(block, start * share / LARGEST, power), share) for share in _SHARES]
        scales[index] = start * min(errors)[1] / LARGEST
    largest = np.finfo(np.float16).max
    return np.clip(scales, SMALLEST_SCALE, largest).astype(np.float16)


def _error(block: Floats, scale: float, power: Floats) -> float:
    codes = np.clip(np.rint(block / scale), -LARGEST, LARGEST)
    return float(((block - codes * scale) ** 2).mean(axis=0) @ power)
