"""The nonlinear correction: trained in full precision on the skip's residual, then rounded.

n tokens, K inputs of a layer, P rows a patch, I inputs a row, S sequences.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from taolora_ros.config import Config
from taolora_ros.model.base import Precision
from taolora_ros.model.correction import (
    BlockWeights,
    CorrectionWeights,
    token_rows,
)
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.network import Network, NetworkWeights
from taolora_ros.model.objective import huber
from taolora_ros.model.skip import SkipWeights
from taolora_ros.samples import Float32s, Floats
from taolora_ros.training.augmentation import Disturbance, disturb
from taolora_ros.training.layer_fit import fit_layer
from taolora_ros.training.torch_network import DenseLayer, TorchCorrection

_FOLDS = 5  # one part in five is held out
_CONTEXT = 64  # tokens before a sequence's loss starts
_LENGTH = 192  # tokens of a sequence, context included
_BATCH = 8  # sequences a step
_PATIENCE = 4  # epochs without a gain on held-out tokens
_MOST_SEQUENCES = 128  # of an epoch; bounds the time that long recordings take
_WEIGHT_DECAY = 0.05
_LAYER_ROWS = 8_192  # normal rows that a layer is rounded on
_TRANSIENT_TOKENS = 1_000  # of each kind of disturbance
_CROP_ROWS = 1_024  # of a segment, disturbed at a time


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """One segment as the correction sees it."""

    inputs: Float32s  # [n, K] of the embedding
    targets: Float32s  # [n, P·I] residual of the *next* token, in its normal deviations
    first: int  # token from which targets are valid
    held_out: int  # token from which targets are held out


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
    scale = _residual_scale(segments, skip, config)
    tokens = [
        _tokens(rows[offset:], skip, scale, share, config)
        for rows, share in zip(segments, _seen_shares(len(segments)), strict=True)
        for offset in range(config.window.patch)  # live, an event falls anywhere in a patch
        if rows.shape[0] > offset + 2 * config.window.patch
    ]
    tokens = [part for part in tokens if part.inputs.shape[0] - part.first >= _CONTEXT]
    seen, unseen = _sequences(tokens, held_out=False), _sequences(tokens, held_out=True)
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
        weights = _round(network, segments, skip, scale, config)
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
    scale = _residual_scale(segments, weights.skip, config)
    losses = np.zeros(2)
    for rows, share in zip(segments, _seen_shares(len(segments)), strict=True):
        usable = rows[: rows.shape[0] // config.window.patch * config.window.patch]
        first = max(int(usable.shape[0] * share), config.model.order)
        if first >= usable.shape[0]:
            continue
        start = max(0, first // config.window.patch - _CONTEXT) * config.window.patch
        usable, first = usable[start:], first - start
        steady = np.zeros(usable.shape[0] // config.window.patch, bool)
        for index, candidate in enumerate((skip_alone, weights)):
            prediction = Network(candidate).run(usable, steady)
            losses[index] += float(huber((usable - prediction)[first:] / scale).sum())
    return 1.0 - losses[1] / losses[0] if losses[0] > 0.0 else 0.0


def _residual_scale(segments: Sequence[Float32s], skip: SkipWeights, config: Config) -> Float32s:
    """Deviation `[I]` of the skip's residual without rounding, on normal rows."""
    residuals = np.concatenate([_residual(rows, skip, config) for rows in segments])
    deviation: Floats = np.sqrt((residuals.astype(np.float64) ** 2).mean(axis=0))
    floored: Floats = np.maximum(deviation, 1e-3 * skip.spread)
    return floored.astype(np.float32)


def _residual(rows: Float32s, skip: SkipWeights, config: Config) -> Float32s:
    """Rows minus the skip's FP32 prediction, for whole patches `[n·P, I]`."""
    patch = config.window.patch
    usable = rows[: rows.shape[0] // patch * patch]
    network = Network(NetworkWeights(config=config, skip=skip), precision=Precision.FP32)
    prediction = network.run(usable, np.zeros(usable.shape[0] // patch, bool))
    residual: Float32s = usable - prediction
    return residual


def _seen_shares(count: int) -> list[float]:
    """Share of each segment, from its start, to train on: whole segments are held out if many."""
    if count < _FOLDS:
        return [1.0 - 1.0 / _FOLDS] * count
    return [0.0 if index % _FOLDS == _FOLDS // 2 else 1.0 for index in range(count)]


def _tokens(
    rows: Float32s, skip: SkipWeights, scale: Float32s, seen_share: float, config: Config
) -> Tokens:
    patch = config.window.patch
    residual = (_residual(rows, skip, config) / scale).reshape(-1, patch * rows.shape[1])
    inputs = _inputs(rows, skip, config)[:-1]
    count = inputs.shape[0]
    return Tokens(
        inputs=inputs,
        targets=residual[1:],
        first=min(count, math.ceil(config.model.order / patch)),
        held_out=int(count * seen_share),
    )


def _inputs(rows: Float32s, skip: SkipWeights, config: Config) -> Float32s:
    """The embedding's input for every whole patch, `[n, K]`."""
    patch = config.window.patch
    usable = rows[: rows.shape[0] // patch * patch]
    seen = np.concatenate([usable[:1], usable])
    return token_rows(seen, skip.spread, patch=patch, group=config.quantization.group)


@dataclass(frozen=True, slots=True, eq=False)
class _Sequences:
    inputs: Tensor  # [S, n, K]
    targets: Tensor  # [S, n, P·I]
    counts: Tensor  # [S, n, 1] whether a token's loss counts


def _sequences(tokens: Sequence[Tokens], *, held_out: bool) -> _Sequences | None:
    """Overlapping sequences of one length, or none; padding and context don't count."""
    inputs, targets, counts = [], [], []
    for part in tokens:
        begin = max(part.held_out, part.first) if held_out else part.first
        end = part.inputs.shape[0] if held_out else part.held_out
        for start in range(begin, end, _LENGTH - _CONTEXT):
            low = max(0, start - _CONTEXT)
            high = min(start + _LENGTH - _CONTEXT, end)
            pad = ((0, _LENGTH - (high - low)), (0, 0))
            inputs.append(np.pad(part.inputs[low:high], pad))
            targets.append(np.pad(part.targets[low:high], pad))
            counted = np.zeros((_LENGTH, 1), np.float32)
            counted[start - low : high - low] = 1.0
            counts.append(counted)
    if not inputs:
        return None
    return _Sequences(*(torch.from_numpy(np.stack(part)) for part in (inputs, targets, counts)))


def _loss(network: TorchCorrection, part: _Sequences, chosen: Tensor) -> Tensor:
    """Huber loss a counted number, of the sequences of these indices."""
    error: Tensor = network(part.inputs[chosen]) - part.targets[chosen]
    counts = part.counts[chosen]
    loss: Tensor = (huber(error) * counts).sum() / (counts.sum().clamp(min=1.0) * error.shape[-1])
    return loss


def _train(
    network: TorchCorrection,
    seen: _Sequences,
    unseen: _Sequences,
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


def _round(
    network: TorchCorrection,
    segments: Sequence[Float32s],
    skip: SkipWeights,
    scale: Float32s,
    config: Config,
) -> CorrectionWeights:
    """The trained network with every layer rounded and repaired."""
    normal = _recorded(network, (_inputs(rows, skip, config) for rows in segments), _LAYER_ROWS)
    rng = np.random.default_rng(config.training.seed)
    transient = {
        kind: _recorded_transients(network, segments, kind, skip, config, rng)
        for kind in Disturbance
    }
    unit = np.tile(scale / skip.spread, config.window.patch)

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
        inputs = _inputs(disturbed.rows, skip, config)
        for name, x in network.recorded(torch.from_numpy(inputs)).items():
            found[name].append(x[touched])
        count += int(touched.sum()) + 1
    return {name: np.concatenate(xs) for name, xs in found.items()}
