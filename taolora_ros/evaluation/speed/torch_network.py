"""The folded network in torch, eager: what a peer runs, and on a GPU captures.

P rows a patch, I inputs a row, T rows, n tokens, d features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from taolora_ros.evaluation.speed.folded import Affine, Folded, FoldedBlock
from taolora_ros.model.correction import RMS_FLOOR
from taolora_ros.samples import Float32s

Layer = tuple[Tensor, Tensor]  # weight [K, N] and bias [N]

_PIECE_TOKENS = 512  # of a recording; 64 to 4,096 were tried


class TorchNetwork:
    """Whole windows or recordings at a time.

    Args:
        folded: the network.
        device: of the weights and of all that is passed in.
        dtype: likewise.
    """

    def __init__(
        self, folded: Folded, *, device: str = 'cpu', dtype: torch.dtype = torch.float32
    ) -> None:
        def tensor(values: Float32s) -> Tensor:
            return torch.from_numpy(values).to(device, dtype)

        def layer(affine: Affine) -> Layer:
            return tensor(affine.weight), tensor(affine.bias)

        def block(
            part: FoldedBlock,
        ) -> tuple[Tensor, int, Layer, Layer]:
            return tensor(part.taps), part.dilation, layer(part.expand), layer(part.contract)

        self.folded = folded
        self.skip_layer = layer(folded.skip)
        self.embed_layer = layer(folded.embed)
        self.blocks = [block(part) for part in folded.blocks]
        self.head_layer = layer(folded.head)

    @torch.inference_mode()
    def window(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Skip of the newest patch and correction of the next, both `[P, I]`.

        Args:
            rows: `[1 + n·P, I]`; at least order + P of them.
        """
        patch, inputs = self.folded.patch, self.folded.inputs
        skip = self.skip(rows[-self.folded.order - patch :])
        return skip, self.head(self.features(rows)[-1:]).reshape(patch, inputs)

    @torch.inference_mode()
    def recording(self, rows: Tensor) -> Tensor:
        """Predictions of a whole recording `[T, I]`, T a multiple of P.

        In pieces that stay in the cache, each with the tokens before it that it depends on: half
        as fast again as in one piece.
        """
        patch, order = self.folded.patch, self.folded.order
        seen = torch.cat([rows[:1].expand(order, -1), rows])
        pieces = []
        for first in range(0, rows.shape[0] // patch, _PIECE_TOKENS):
            last = min(first + _PIECE_TOKENS, rows.shape[0] // patch)
            begin = max(0, first - self.folded.reach)
            skip = self.skip(seen[first * patch : order + last * patch])
            features = self.features(seen[order - 1 + begin * patch : order + last * patch])
            before = features[max(0, first - 1 - begin) : -1]  # each corrects the token after it
            correction = self.head(before).reshape(-1, rows.shape[1])
            skip[skip.shape[0] - correction.shape[0] :] += correction
            pieces.append(skip)
        return torch.cat(pieces)

    def skip(self, history: Tensor) -> Tensor:
        """Predict the rows `[T, I]` that follow the first `order` of `[order + T, I]`."""
        past = history[:-1].unfold(0, self.folded.order, 1).transpose(1, 2)
        return _apply(past.reshape(past.shape[0], -1), self.skip_layer)

    def features(self, rows: Tensor) -> Tensor:
        """What the head sees of each token, `[n, d]`, from rows `[1 + n·P, I]`."""
        patch = self.folded.patch
        tokens = rows.unfold(0, patch + 1, patch).transpose(1, 2)
        hidden = _apply(tokens.reshape(tokens.shape[0], -1), self.embed_layer)
        for taps, step, expand, contract in self.blocks:
            hidden = block_output(convolve(hidden, taps, step), expand, contract)
        return rms(hidden)

    def head(self, features: Tensor) -> Tensor:
        """Corrections `[n, P·I]` of the tokens after those of the features `[n, d]`."""
        return _apply(features, self.head_layer)


def convolve(hidden: Tensor, taps: Tensor, step: int) -> Tensor:
    """Causal depthwise convolution `[n, d]`; before the first token are zeros."""
    seen = nn.functional.pad(hidden, (0, 0, (taps.shape[0] - 1) * step, 0))
    convolved = taps[0] * hidden
    for lag in range(1, taps.shape[0]):
        first = (taps.shape[0] - 1 - lag) * step
        convolved = torch.addcmul(convolved, taps[lag], seen[first : first + hidden.shape[0]])
    return convolved


def block_output(mixed: Tensor, expand: Layer, contract: Layer) -> Tensor:
    """The gated MLP and its residual, `[n, d]`."""
    gate, value = _apply(rms(mixed), expand).chunk(2, dim=-1)
    return mixed + _apply(nn.functional.silu(gate) * value, contract)


def rms(hidden: Tensor) -> Tensor:
    """Features scaled to a root mean square of 1, in one fused operation where torch has it."""
    return nn.functional.rms_norm(hidden, hidden.shape[-1:], eps=float(RMS_FLOOR))


def _apply(x: Tensor, layer: Layer) -> Tensor:
    weight, bias = layer
    return torch.addmm(bias, x, weight)
