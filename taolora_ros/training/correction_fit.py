"""The nonlinear correction: trained in full precision on the skip's residual, then rounded.

n tokens, K inputs of a layer, P rows a patch, I inputs a row, S sequences.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from taolora_ros.config import Config
from taolora_ros.model.correction import CorrectionWeights
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.objective import huber
from taolora_ros.model.skip import SkipWeights
from taolora_ros.samples import Float32s
from taolora_ros.training.correction_rounding import round_correction
from taolora_ros.training.residual_tokens import (
    CONTEXT,
    Sequences,
    residual_scale,
    seen_shares,
    segment_tokens,
    sequences,
)
from taolora_ros.training.torch_network import TorchCorrection

_BATCH = 8  # sequences a step
_PATIENCE = 4  # epochs without a gain on held-out tokens
_MOST_SEQUENCES = 128  # of an epoch; bounds the time that long recordings take
_WEIGHT_DECAY = 0.05


def fit_correction(
    segments: Sequence[Float32s],
    skip: SkipWeights,
    config: Config,
    *,
    least_gain: float,
    progress: Callable[[float], None],
) -> CorrectionWeights | None:
    """Train a correction of the skip on normal segments `[T_i, I]`.

    Args:
        segments: normal rows without a gap.
        skip: what the correction stands beside.
        config: settings.
        least_gain: share of the skip's loss on held-out tokens that it has to remove.
        progress: told the share that is done, 0 to 1.

    Returns:
        None where the segments are too short to train on, or nothing was gained.
    """
    scale = residual_scale(segments, skip, config)
    tokens = [
        segment_tokens(rows[offset:], skip, scale, share, config)
        for rows, share in zip(segments, seen_shares(len(segments)), strict=True)
        for offset in range(config.window.patch)  # live, an event falls anywhere in a patch
        if rows.shape[0] > offset + 2 * config.window.patch
    ]
    tokens = [part for part in tokens if part.inputs.shape[0] - part.first >= CONTEXT]
    seen, unseen = sequences(tokens, held_out=False), sequences(tokens, held_out=True)
    if seen is None or unseen is None:
        return None
    generator = torch.Generator().manual_seed(config.training.seed)
    network = TorchCorrection(
        tokens[0].inputs.shape[1], tokens[0].targets.shape[1], config.model, generator
    )
    with _one_thread():
        gain = _train(
            network, seen, unseen, config, generator, lambda share: progress(0.8 * share)
        )
        if gain < least_gain:
            return None
        weights = round_correction(network, segments, skip, scale, config)
    progress(1.0)
    return weights


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread: these products are too small to share, and sums keep their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def gain_on_held_out(weights: NetworkWeights, segments: Sequence[Float32s]) -> float:
    """Share of the skip's loss that the correction removes, at 4 bits on steady tokens.

    Measured on what the correction was not trained on.
    """
    config = weights.config
    skip_alone = NetworkWeights(config=config, skip=weights.skip)
    scale = residual_scale(segments, weights.skip, config)
    losses = np.zeros(2)
    for rows, share in zip(segments, seen_shares(len(segments)), strict=True):
        usable = rows[: rows.shape[0] // config.window.patch * config.window.patch]
        first = max(int(usable.shape[0] * share), config.model.order)
        if first >= usable.shape[0]:
            continue
        start = max(0, first // config.window.patch - CONTEXT) * config.window.patch
        usable, first = usable[start:], first - start
        steady = np.zeros(usable.shape[0] // config.window.patch, bool)
        for index, candidate in enumerate((skip_alone, weights)):
            prediction = Network(candidate).run(usable, steady)
            losses[index] += float(huber((usable - prediction)[first:] / scale).sum())
    return 1.0 - losses[1] / losses[0] if losses[0] > 0.0 else 0.0


def _loss(network: TorchCorrection, part: Sequences, chosen: Tensor) -> Tensor:
    """Huber loss a counted number, of the sequences of these indices."""
    error: Tensor = network(part.inputs[chosen]) - part.targets[chosen]
    counts = part.counts[chosen]
    loss: Tensor = (huber(error) * counts).sum() / (counts.sum().clamp(min=1.0) * error.shape[-1])
    return loss


def _train(
    network: TorchCorrection,
    seen: Sequences,
    unseen: Sequences,
    config: Config,
    generator: torch.Generator,
    progress: Callable[[float], None],
) -> float:
    """Train in full precision; the weights that served held-out tokens best stay.

    Returns:
        Share of the skip's loss on held-out tokens that they remove.
    """
    epochs, count = config.training.epochs, min(seen.inputs.shape[0], _MOST_SEQUENCES)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.training.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    steps = max(1, epochs * math.ceil(count / _BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.training.learning_rate, total_steps=steps
    )
    some = torch.arange(unseen.inputs.shape[0])[:: unseen.inputs.shape[0] // _MOST_SEQUENCES + 1]
    with torch.no_grad():
        alone = float(_loss(network, unseen, some))  # the head starts at zero
    best, least, since = copy.deepcopy(network.state_dict()), alone, 0
    for epoch in range(epochs):
        order = torch.randperm(seen.inputs.shape[0], generator=generator)
        for chosen in (order[low : low + _BATCH] for low in range(0, count, _BATCH)):
            optimizer.zero_grad()
            torch.autograd.backward(_loss(network, seen, chosen))
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            loss = float(_loss(network, unseen, some))
        progress((epoch + 1) / epochs)
        since += 1
        if loss < least:
            best, least, since = copy.deepcopy(network.state_dict()), loss, 0
        if since >= _PATIENCE:
            break
    network.load_state_dict(best)
    return 1.0 - least / alone if alone > 0.0 else 0.0
