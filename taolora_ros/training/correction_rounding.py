"""A trained correction turned into dual-path layers.

n tokens, K inputs of a layer, P rows a patch, I inputs a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from taolora_ros.config import Config
from taolora_ros.model.correction import BlockWeights, CorrectionWeights, token_shares
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.skip import SkipWeights
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb
from taolora_ros.training.layer_fit import fit_layer
from taolora_ros.training.residual_tokens import patch_inputs
from taolora_ros.training.torch_network import DenseLayer, TorchCorrection

_LAYER_ROWS = 8_192  # normal rows that a layer is rounded on
_TRANSIENT_TOKENS = 1_000  # of each kind of disturbance
_CROP_ROWS = 1_024  # of a segment, disturbed at a time


def round_correction(
    network: TorchCorrection,
    segments: Sequence[Float32s],
    skip: SkipWeights,
    scale: Float32s,
    config: Config,
) -> CorrectionWeights:
    """Round every layer of the trained network, and repair it.

    Args:
        network: trained in full precision, in units of `scale`.
        segments: normal rows `[T_i, I]`.
        skip: what the correction stands beside.
        scale: `[I]` normal deviation of the skip's residual.
        config: settings.
    """
    normal = _recorded(
        network, (patch_inputs(rows, skip, config) for rows in segments), _LAYER_ROWS
    )
    rng = np.random.default_rng(config.training.seed)
    transient = {
        kind: _recorded_transients(network, segments, kind, skip, config, rng)
        for kind in Disturbance
    }
    patch, group = config.window.patch, config.quantization.group
    unit = np.tile(scale / skip.spread, patch)
    embedded = token_shares(scale.shape[0], patch=patch, group=group)

    def layer(name: str) -> DualPathWeights:
        dense = network.layer(name)
        if name == 'head':
            dense = DenseLayer(weight=dense.weight * unit, bias=dense.bias * unit)
        metric: Floats = np.ones(dense.bias.shape[0])
        if name == 'head':
            metric = 1.0 / unit.astype(np.float64)
        return fit_layer(
            dense.weight.astype(np.float64),
            dense.bias,
            normal=normal[name],
            transient={kind: inputs[name] for kind, inputs in transient.items()},
            metric=metric,
            shares=embedded if name == 'embed' else np.arange(dense.weight.shape[0]),
            settings=config.quantization,
        )

    return CorrectionWeights(
        embed=layer('embed'),
        blocks=tuple(
            BlockWeights(
                taps=network.vector(f'block{index}.taps'),
                gain=network.vector(f'block{index}.gain'),
                expand=layer(f'block{index}.expand'),
                contract=layer(f'block{index}.contract'),
            )
            for index in range(config.model.blocks)
        ),
        gain=network.vector('gain'),
        head=layer('head'),
    )


def _recorded(
    network: TorchCorrection, parts: Iterator[Float32s], most: int
) -> dict[str, Float32s]:
    """Inputs of every layer on these sequences of tokens, `[m, K]`, m at most `most`."""
    found: dict[str, list[Float32s]] = {name: [] for name in network.sizes}
    for tokens in parts:
        for name, x in network.recorded(torch.from_numpy(tokens)).items():
            found[name].append(x)
    joined = {name: np.concatenate(xs) for name, xs in found.items()}
    stride = max(1, joined['head'].shape[0] // most)
    return {name: xs[::stride] for name, xs in joined.items()}


def _recorded_transients(
    network: TorchCorrection,
    segments: Sequence[Float32s],
    kind: Disturbance,
    skip: SkipWeights,
    config: Config,
    rng: np.random.Generator,
) -> dict[str, Float32s]:
    """Inputs of every layer on the tokens that a disturbance of this kind touches."""
    patch = config.window.patch
    found: dict[str, list[Float32s]] = {name: [] for name in network.sizes}
    count = 0
    while count < _TRANSIENT_TOKENS:
        rows = segments[int(rng.integers(len(segments)))]
        begin = int(rng.integers(max(1, rows.shape[0] - _CROP_ROWS)))
        rows = rows[begin : begin + _CROP_ROWS]
        disturbed = disturb(rows, kind, rng)
        tokens = rows.shape[0] // patch
        touched = disturbed.is_touched[: tokens * patch].reshape(tokens, patch).any(axis=1)
        inputs = patch_inputs(disturbed.rows, skip, config)
        for name, x in network.recorded(torch.from_numpy(inputs)).items():
            found[name].append(x[touched])
        count += int(touched.sum()) + 1
    return {name: np.concatenate(xs) for name, xs in found.items()}
