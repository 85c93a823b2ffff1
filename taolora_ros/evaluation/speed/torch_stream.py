"""The folded network in torch hop by hop, its states in tensors that never move.

Nothing waits for the device, so that a CUDA graph can hold a step. Token by token is the strongest
form of a peer: the same streaming as ours, in FP16 instead of 4 bits.

P rows a patch, I inputs a row, n tokens of a window, d features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from taolora_ros.evaluation.speed.torch_network import TorchNetwork, block_output, rms


class TorchWindow:
    """One stream, the whole window at every hop.

    Args:
        network: the weights, on their device.
        tokens: n.
    """

    def __init__(self, network: TorchNetwork, tokens: int) -> None:
        folded = network.folded
        weight, _ = network.embed_layer
        self._network = network
        self._rows = weight.new_zeros(1 + tokens * folded.patch, folded.inputs)
        self._pending = weight.new_zeros(folded.patch, folded.inputs)
        self.patch = torch.zeros_like(self._pending)  # the next input
        self.prediction = torch.zeros_like(self._pending)  # the last output

    @torch.inference_mode()
    def step(self) -> None:
        """Predict `patch` from what came before each of its rows, into `prediction`."""
        _shift_in(self._rows, self.patch)
        skip, correction = self._network.window(self._rows)
        self.prediction.copy_(skip + self._pending)
        self._pending.copy_(correction)


class TorchStream:
    """One stream, a token a hop.

    Args:
        network: the weights, on their device.
    """

    def __init__(self, network: TorchNetwork) -> None:
        folded = network.folded
        weight, _ = network.embed_layer
        self._network = network
        self._history = weight.new_zeros(folded.order + folded.patch, folded.inputs)
        self._pending = weight.new_zeros(folded.patch, folded.inputs)
        self._rings = [
            weight.new_zeros((len(block.taps) - 1) * block.dilation + 1, weight.shape[1])
            for block in folded.blocks
        ]
        self.patch = torch.zeros_like(self._pending)  # the next input
        self.prediction = torch.zeros_like(self._pending)  # the last output

    @torch.inference_mode()
    def step(self) -> None:
        """Predict `patch` from what came before each of its rows, into `prediction`."""
        folded = self._network.folded
        _shift_in(self._history, self.patch)
        self.prediction.copy_(self._network.skip(self._history) + self._pending)
        hidden = self._embedded()
        parts = zip(self._network.blocks, self._rings, strict=True)
        for (taps, step, expand, contract), ring in parts:
            _shift_in(ring, hidden)
            newest_first = ring.flip(0)[::step]
            mixed = (taps * newest_first).sum(0, keepdim=True)
            hidden = block_output(mixed, expand, contract)
        correction = self._network.head(rms(hidden))
        self._pending.copy_(correction.view(folded.patch, folded.inputs))

    def _embedded(self) -> Tensor:
        weight, bias = self._network.embed_layer
        seen = self._history[-self._network.folded.patch - 1 :]
        return torch.addmm(bias, seen.reshape(1, -1), weight)


def _shift_in(ring: Tensor, newest: Tensor) -> None:
    """Drop the oldest rows for as many new ones."""
    kept = ring[newest.shape[0] :].clone()
    ring[: kept.shape[0]].copy_(kept)
    ring[kept.shape[0] :].copy_(newest)
