"""The nonlinear correction of the skip: what earlier tokens say about the next one.

    h₀[n] = embed(token[n])
    c     = Σ_k taps[k] ⊙ h[n − k·dilation]          causal depthwise convolution
    a     = expand(rms(h + c) ⊙ gain)                 halves a₁, a₂
    h'[n] = h + c + contract(silu(a₁) ⊙ a₂)           gated MLP
    ŷ[n+1] = head(rms(h) ⊙ gain)                      P rows of the next token, in units of σ

P rows a patch, I inputs a row, n tokens, d features, E hidden features, B blocks, G group size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from taolora_ros.config import Config, ModelConfig
from taolora_ros.model.dual_path import BuildLayer, DualPathWeights
from taolora_ros.model.skip import skip_shares
from taolora_ros.model.tensors import TensorReader, Tensors
from taolora_ros.quantization.int4 import padded
from taolora_ros.samples import Bools, Float32s, Ints

RMS_FLOOR = np.float32(1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class BlockWeights:
    """One block.

    | tensor | shape | type | what |
    |---|---|---|---|
    | taps | [kernel, d] | float32 | of the convolution, the newest token first |
    | gain | [d] | float32 | after the normalization |
    | expand | layer, K = d, N = 2·E | | gate and value |
    | contract | layer, K = E, N = d | | |
    """

    taps: Float32s
    gain: Float32s
    expand: DualPathWeights
    contract: DualPathWeights


@dataclass(frozen=True, slots=True, eq=False)
class CorrectionWeights:
    """The correction.

    | tensor | shape | type | what |
    |---|---|---|---|
    | embed | layer, K = padded(I) + padded(P·I), N = d | | last row's level, P differences |
    | block0 … | see `BlockWeights` | | |
    | gain | [d] | float32 | after the last normalization |
    | head | layer, K = d, N = P·I | | correction of the next token's rows |
    """

    embed: DualPathWeights
    blocks: tuple[BlockWeights, ...]
    gain: Float32s
    head: DualPathWeights

    def layers(self) -> Iterator[tuple[str, DualPathWeights]]:
        """The dual-path layers by name, in the order in which they run."""
        yield 'embed', self.embed
        for index, block in enumerate(self.blocks):
            yield f'block{index}.expand', block.expand
            yield f'block{index}.contract', block.contract
        yield 'head', self.head

    def vectors(self) -> Iterator[tuple[str, Float32s]]:
        """The tensors that stay in FP32, by name."""
        for index, block in enumerate(self.blocks):
            yield f'block{index}.taps', block.taps
            yield f'block{index}.gain', block.gain
        yield 'gain', self.gain

    def to_tensors(self) -> Tensors:
        """The correction as named tensors."""
        tensors: Tensors = dict(self.vectors())
        for name, layer in self.layers():
            tensors.update({f'{name}.{part}': value for part, value in layer.to_tensors().items()})
        return tensors

    @staticmethod
    def from_tensors(reader: TensorReader, config: Config, inputs: int) -> CorrectionWeights:
        """Read a correction for rows of I inputs.

        Raises:
            ArtifactError: a tensor is missing or is not what it has to be.
        """
        shape = config.model
        width, hidden = shape.width, shape.width * shape.expansion
        group, patch = config.quantization.group, config.window.patch

        def layer(part: TensorReader, name: str, shares: Ints, columns: int) -> DualPathWeights:
            return DualPathWeights.from_tensors(
                part.under(name), shares=shares, outputs=columns, group=group
            )

        def block(part: TensorReader) -> BlockWeights:
            return BlockWeights(
                taps=part.take('taps', np.float32, (shape.kernel, width)),
                gain=part.take('gain', np.float32, (width,)),
                expand=layer(part, 'expand', np.arange(width), 2 * hidden),
                contract=layer(part, 'contract', np.arange(hidden), width),
            )

        return CorrectionWeights(
            embed=layer(reader, 'embed', token_shares(inputs, patch=patch, group=group), width),
            blocks=tuple(block(reader.under(f'block{index}')) for index in range(shape.blocks)),
            gain=reader.take('gain', np.float32, (width,)),
            head=layer(reader, 'head', np.arange(width), patch * inputs),
        )


def token_inputs(inputs: int, *, patch: int, group: int) -> int:
    """K of the embedding."""
    return padded(inputs, group) + padded(patch * inputs, group)


def token_shares(inputs: int, *, patch: int, group: int) -> Ints:
    """Which λ each of the embedding's inputs takes, `[K]`, laid out as the skip's are."""
    return skip_shares(inputs, order=patch + 1, group=group)


def token_rows(rows: Float32s, spread: Float32s, *, patch: int, group: int) -> Float32s:
    """The embedding's input for every patch after the first row.

    Args:
        rows: `[1 + n·P, I]`, the first row only looked back at.
        spread: `[I]` σ of the differences.
        patch: P.
        group: G.

    Returns:
        `[n, K]` float32: level of the patch's last row, padding, its P differences, padding.
    """
    inputs = rows.shape[1]
    tokens = (rows.shape[0] - 1) // patch
    start = padded(inputs, group)
    x = np.zeros((tokens, token_inputs(inputs, patch=patch, group=group)), np.float32)
    x[:, :inputs] = rows[patch::patch]
    differences = (rows[1:] - rows[:-1]) / spread
    x[:, start : start + patch * inputs] = differences.reshape(tokens, -1)
    return x


def dilation(block: int, shape: ModelConfig) -> int:
    """Tokens between two taps of a block: each block reaches a kernel's length farther."""
    return int(shape.kernel**block)


class Correction:
    """The correction ready to run, with the convolutions' past as its state."""

    def __init__(
        self, weights: CorrectionWeights, shape: ModelConfig, *, build: BuildLayer
    ) -> None:
        self._weights = weights
        self._dilations = [dilation(index, shape) for index in range(len(weights.blocks))]
        self._layers = {
            name: build(f'correction.{name}', layer) for name, layer in weights.layers()
        }
        self._past: list[Float32s] = []
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next token starts a segment."""
        width = self._weights.gain.shape[0]
        self._past = [
            np.zeros(((block.taps.shape[0] - 1) * step, width), np.float32)
            for block, step in zip(self._weights.blocks, self._dilations, strict=True)
        ]

    def __call__(self, tokens: Float32s, is_transient: Bools) -> Float32s:
        """Take tokens in, `[n, K]` with their mask `[n]`.

        Returns:
            `[n, P·I]` float32: the correction of the token after each, in units of σ.
        """
        hidden = self._layers['embed'](tokens, is_transient)
        for index, block in enumerate(self._weights.blocks):
            hidden = hidden + self._convolve(index, hidden)
            both = self._layers[f'block{index}.expand'](rms(hidden) * block.gain, is_transient)
            gate, value = np.split(both, 2, axis=1)
            hidden += self._layers[f'block{index}.contract'](silu(gate) * value, is_transient)
        return self._layers['head'](rms(hidden) * self._weights.gain, is_transient)

    def _convolve(self, index: int, hidden: Float32s) -> Float32s:
        """The block's causal convolution `[n, d]`; its past moves on."""
        taps, step = self._weights.blocks[index].taps, self._dilations[index]
        past = self._past[index].shape[0]
        seen = np.concatenate([self._past[index], hidden])
        convolved: Float32s = taps[0] * hidden
        for lag in range(1, taps.shape[0]):
            first = past - lag * step
            convolved += taps[lag] * seen[first : first + hidden.shape[0]]
        self._past[index] = seen[seen.shape[0] - past :]
        return convolved


def rms(hidden: Float32s) -> Float32s:
    """Rows scaled to a root mean square of 1."""
    power = np.mean(hidden * hidden, axis=1, keepdims=True)
    scaled: Float32s = hidden / np.sqrt(power + RMS_FLOOR)
    return scaled


def silu(values: Float32s) -> Float32s:
    """The sigmoid linear unit, x / (1 + exp(−x))."""
    bounded = np.clip(values, -80.0, None)  # exp stays within float32
    return values / (np.float32(1.0) + np.exp(-bounded))
