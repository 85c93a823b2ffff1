"""A trained detector of the machine that is struck, with the whole network of the benches."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.speed.struck_machine import CHANNELS, PATCH, PERIOD_NS, StruckMachine
from taolora_ros.evaluation.speed.workload import DEFAULT
from taolora_ros.model.network import NetworkWeights
from taolora_ros.samples import Floats, Recording
from taolora_ros.training.correction_rounding import round_correction
from taolora_ros.training.residual_tokens import patch_inputs, residual_scale
from taolora_ros.training.torch_network import TorchCorrection
from taolora_ros.training.trainer import train

_NORMAL_ROWS = 6_000  # of each recording that it is trained on
_RECORDINGS = 3
_FAINT = 1e-4  # of the weights that end the correction


def make_struck_detector(shape: Config = DEFAULT) -> DetectorModel:
    """A detector of that machine.

    The machine is linear, so training finds nothing that the linear skip doesn't know, and would
    leave the correction out. One of random weights is put back in, its last layer too faint to
    be heard: a hop costs what it costs with the whole network, and scores are the skip's.

    Args:
        shape: settings of the network; tokens of 8 rows.
    """
    assert shape.window.patch == PATCH
    config = dataclasses.replace(shape, channels=CHANNELS)
    machine, rng = StruckMachine(), np.random.default_rng(5)
    recordings = [
        _recording(number, machine.rows(rng, 2 * number * _NORMAL_ROWS, _NORMAL_ROWS))
        for number in range(_RECORDINGS)
    ]
    model = train(recordings, CHANNELS, config, progress=lambda stage, share: None)
    network = _with_faint_correction(model.watch.network, recordings[0])
    return dataclasses.replace(model, watch=dataclasses.replace(model.watch, network=network))


def _recording(number: int, values: Floats) -> Recording:
    stamps = np.arange(len(values), dtype=np.int64) * PERIOD_NS
    return Recording(f'normal{number}', stamps, values, np.zeros_like(values))


def _with_faint_correction(network: NetworkWeights, normal: Recording) -> NetworkWeights:
    config, skip = network.config, network.skip
    values = normal.values.astype(np.float32)
    generator = torch.Generator().manual_seed(config.training.seed)
    correction = TorchCorrection(
        patch_inputs(values[: config.window.patch], skip, config).shape[1],
        config.window.patch * values.shape[1],
        config.model,
        generator,
    )
    for name in correction.sizes:  # zeros would not be stored
        torch.nn.init.normal_(correction.bias(name), std=_FAINT, generator=generator)
    torch.nn.init.normal_(correction.weight('head'), std=_FAINT, generator=generator)
    scale = residual_scale([values], skip, config)
    rounded = round_correction(correction, [values], skip, scale, config)
    return dataclasses.replace(network, correction=rounded)
