"""The trainable twin of the nonlinear correction, in torch.

Its parameters have the names and the layout of `model.correction`; a test holds the two equal.

n tokens, K inputs, N outputs, d features, P rows a patch, I inputs a row, S sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from taolora_ros.config import ModelConfig
from taolora_ros.model.correction import RMS_FLOOR, dilation
from taolora_ros.samples import Float32s

Linear = Callable[[str, Tensor], Tensor]  # applies the dense layer of this name


@dataclass(frozen=True, slots=True, eq=False)
class DenseLayer:
    """A layer without rounding."""

    weight: Float32s  # [K, N]
    bias: Float32s  # [N]


class TorchCorrection(nn.Module):
    """The correction with dense layers, whole sequences at a time.

    Args:
        inputs: K of the embedding.
        outputs: P·I of the head.
        shape: width, blocks, kernel and expansion.
        generator: draws the starting weights; the head starts at zero, as the skip alone.
    """

    def __init__(
        self, inputs: int, outputs: int, shape: ModelConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        width, hidden = shape.width, shape.width * shape.expansion
        self._shape = shape
        sizes = {'embed': (inputs, width)}
        for index in range(shape.blocks):
            sizes[f'block{index}.expand'] = (width, 2 * hidden)
            sizes[f'block{index}.contract'] = (hidden, width)
        sizes['head'] = (width, outputs)
        self.sizes = sizes
        self._weights = nn.ParameterDict()
        self._biases = nn.ParameterDict()
        for name, (rows, columns) in sizes.items():
            scale = 0.0 if name == 'head' else rows**-0.5
            start = torch.randn(rows, columns, generator=generator) * scale
            self._weights[_key(name)] = nn.Parameter(start)
            self._biases[_key(name)] = nn.Parameter(torch.zeros(columns))
        self._vectors = nn.ParameterDict()
        for index in range(shape.blocks):
            taps = torch.randn(shape.kernel, width, generator=generator) * 0.1
            self._vectors[_key(f'block{index}.taps')] = nn.Parameter(taps)
            self._vectors[_key(f'block{index}.gain')] = nn.Parameter(torch.ones(width))
        self._vectors['gain'] = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor, linear: Linear | None = None) -> Tensor:
        """Correct the token after each of `[S, n, K]`; returns `[S, n, P·I]`.

        Args:
            tokens: sequences; each starts a segment.
            linear: applied in place of the dense layers, e.g. with their rounding.
        """
        apply = self.dense if linear is None else linear
        hidden = apply('embed', tokens)
        for index in range(self._shape.blocks):
            hidden = hidden + self._convolve(index, hidden)
            gain = self._vectors[_key(f'block{index}.gain')]
            gate, value = apply(f'block{index}.expand', rms(hidden) * gain).chunk(2, dim=-1)
            hidden = hidden + apply(f'block{index}.contract', nn.functional.silu(gate) * value)
        return apply('head', rms(hidden) * self._vectors['gain'])

    def dense(self, name: str, x: Tensor) -> Tensor:
        """One dense layer."""
        return x @ self.weight(name) + self.bias(name)

    def weight(self, name: str) -> nn.Parameter:
        """W `[K, N]` of a layer."""
        return cast(nn.Parameter, self._weights[_key(name)])

    def bias(self, name: str) -> nn.Parameter:
        """The bias `[N]` of a layer."""
        return cast(nn.Parameter, self._biases[_key(name)])

    def layer(self, name: str) -> DenseLayer:
        """A layer's weights as arrays."""
        return DenseLayer(_array(self.weight(name)), _array(self.bias(name)))

    def vector(self, name: str) -> Float32s:
        """The taps or the gain of this name as an array."""
        return _array(self._vectors[_key(name)])

    def recorded(self, tokens: Tensor) -> Mapping[str, Float32s]:
        """The input `[n, K]` of every layer on one sequence `[n, K]`."""
        seen: dict[str, Float32s] = {}

        def linear(name: str, x: Tensor) -> Tensor:
            seen[name] = _array(x[0])
            return self.dense(name, x)

        with torch.no_grad():
            self(tokens[None], linear)
        return seen

    def _convolve(self, index: int, hidden: Tensor) -> Tensor:
        taps = self._vectors[_key(f'block{index}.taps')]
        step = dilation(index, self._shape)
        past = (self._shape.kernel - 1) * step
        seen = nn.functional.pad(hidden, (0, 0, past, 0))
        convolved: Tensor = taps[0] * hidden
        for lag in range(1, self._shape.kernel):
            first = past - lag * step
            convolved = convolved + taps[lag] * seen[:, first : first + hidden.shape[1]]
        return convolved


def rms(hidden: Tensor) -> Tensor:
    """Features scaled to a root mean square of 1."""
    power = (hidden * hidden).mean(dim=-1, keepdim=True)
    return hidden / torch.sqrt(power + float(RMS_FLOOR))


def _key(name: str) -> str:
    return name.replace('.', '_')  # torch reads a dot as a path


def _array(values: Tensor) -> Float32s:
    return np.ascontiguousarray(values.detach().numpy(), np.float32)
