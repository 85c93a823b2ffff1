"""What every bench runs: the network of patch 8 with made-up weights, and a signal with bursts.

The weights come from the training code, so that ranks, scales and padding are those of a trained
model; only the gradient steps are left out, which change values and no size.

P rows a patch, I inputs a row, n tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from taolora_ros.config import Config, ModelConfig, TrainingConfig, WindowConfig, to_mapping
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.relation import RelationWeights
from taolora_ros.samples import Bools, Float32s
from taolora_ros.training.correction_rounding import round_correction
from taolora_ros.training.relation_fit import fit_relation
from taolora_ros.training.residual_tokens import patch_inputs, residual_scale
from taolora_ros.training.skip_fit import fit_skip
from taolora_ros.training.torch_network import TorchCorrection

CHANNELS = 21
DEFAULT = Config(
    window=WindowConfig(patch=8, length=512),
    model=ModelConfig(order=10, width=128, blocks=3),
    training=TrainingConfig(epochs=0),
)
_SOURCES = 5  # independent movements that the channels mix
_NOISE = 0.2
_BURST = 8.0  # deviations that a transient adds
_BURST_TOKENS = 5  # mean length of a transient
_HEAD = 0.3  # of the weights of the head, over those of other layers
_BIAS = 0.1
_FIT_TOKENS = 1_500


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A network and a stretch of what it watches."""

    network: NetworkWeights
    relation: RelationWeights
    rows: Float32s  # [n·P, I]
    is_transient: Bools  # [n]

    @property
    def patches(self) -> Float32s:
        """`[n, P, I]`."""
        return self.rows.reshape(self.is_transient.shape[0], -1, self.rows.shape[1])

    def settings(self) -> dict[str, Any]:
        """Sizes of network and signal, for a bench's record."""
        config = self.network.config
        return {
            'channels': self.network.inputs,
            'patch': config.window.patch,
            'window_tokens': config.window.length // config.window.patch,
            **to_mapping(config.model),
            'group': config.quantization.group,
            'rank': config.quantization.rank,
            'tokens': self.is_transient.shape[0],
            'transient_tokens': int(self.is_transient.sum()),
        }


def make_workload(
    tokens: int,
    *,
    config: Config = DEFAULT,
    inputs: int = CHANNELS,
    transient_share: float = 0.1,
    seed: int = 0,
) -> Workload:
    """The network of patch 8, unless told otherwise, and a signal of so many tokens.

    Args:
        tokens: n.
        config: shape of the network.
        inputs: I.
        transient_share: of the tokens, in bursts.
        seed: of weights and signal.
    """
    rng = np.random.default_rng(seed)
    patch = config.window.patch
    normal = signal(rng, _FIT_TOKENS * patch, inputs)
    rows = signal(rng, tokens * patch, inputs)
    is_transient = bursts(rng, tokens, transient_share)
    shaken = np.repeat(is_transient, patch)
    rows[shaken] += _BURST * rng.normal(size=(int(shaken.sum()), inputs)).astype(np.float32)
    return Workload(
        make_network(normal, config), fit_relation([normal], config), rows, is_transient
    )


def make_network(normal: Float32s, config: Config) -> NetworkWeights:
    """A skip fitted to normal rows `[T, I]`, and beside it a correction of random weights."""
    skip = fit_skip([normal], config, np.random.default_rng(config.training.seed))
    if not config.model.blocks:
        return NetworkWeights(config=config, skip=skip)
    generator = torch.Generator().manual_seed(config.training.seed)
    network = TorchCorrection(
        patch_inputs(normal[: config.window.patch], skip, config).shape[1],
        config.window.patch * normal.shape[1],
        config.model,
        generator,
    )
    head = network.weight('head')
    torch.nn.init.normal_(head, std=_HEAD * head.shape[0] ** -0.5, generator=generator)
    for name in network.sizes:  # zeros would not be stored
        torch.nn.init.normal_(network.bias(name), std=_BIAS, generator=generator)
    scale = residual_scale([normal], skip, config)
    correction = round_correction(network, [normal], skip, scale, config)
    return NetworkWeights(config=config, skip=skip, correction=correction)


def signal(rng: np.random.Generator, rows: int, inputs: int) -> Float32s:
    """Channels of unit variance that mix a few movements, with noise of their own: `[rows, I]`."""
    seconds = np.arange(rows) / 100.0
    hertz = rng.uniform(0.2, 5.0, _SOURCES)
    phases = rng.uniform(0.0, 2.0 * np.pi, _SOURCES)
    sources = np.sin(2.0 * np.pi * np.outer(seconds, hertz) + phases)
    mixed = sources @ rng.normal(size=(_SOURCES, inputs))
    mixed += _NOISE * rng.normal(size=mixed.shape)
    unit: Float32s = (mixed / mixed.std(axis=0)).astype(np.float32)
    return unit


def bursts(rng: np.random.Generator, tokens: int, share: float) -> Bools:
    """The mask of a signal that is steady but for bursts of transient tokens, `[n]`."""
    is_transient = np.zeros(tokens, bool)
    position = 0
    while share and position < tokens:
        position += int(rng.geometric(share / ((1.0 - share) * _BURST_TOKENS)))
        length = int(rng.geometric(1.0 / _BURST_TOKENS))
        is_transient[position : position + length] = True
        position += length
    return is_transient
