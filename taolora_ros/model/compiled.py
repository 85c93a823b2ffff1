"""The network and the relation as they run on the CPU: one compiled call a hop.

S streams, P rows a patch, I inputs a row, C channels.
"""

from __future__ import annotations

import numpy as np

from taolora_ros.config import Config
from taolora_ros.errors import ArtifactError
from taolora_ros.kernels.dual_path_linear.reference import prepare
from taolora_ros.kernels.rotate.reference import units
from taolora_ros.kernels.stream_step import memory, packing
from taolora_ros.kernels.stream_step.cpu import clip_counts, run, stream_step
from taolora_ros.kernels.stream_step.operands import Block, Correction, Layer, StreamOperands
from taolora_ros.model.base import Precision
from taolora_ros.model.correction import RMS_FLOOR, CorrectionWeights, dilation
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.relation import LAGS, RelationWeights
from taolora_ros.model.skip import SteadyClip
from taolora_ros.samples import Bools, Float32s, Floats


def stream_operands(
    weights: NetworkWeights,
    relation: RelationWeights | None = None,
    *,
    precision: Precision = Precision.INT4_ROUTED,
) -> StreamOperands:
    """The network as every engine's `stream_step` reads it.

    Raises:
        ArtifactError: FP32 is asked of a layer that was saved without its dense weights.
    """
    config = weights.config
    correction = None
    if weights.correction is not None:
        correction = _correction(weights.correction, config, precision)
    return StreamOperands(
        patch=config.window.patch,
        group=config.quantization.group,
        activation=config.quantization.activation,
        spread=weights.skip.spread.astype(np.float32),
        own=weights.skip.own.astype(np.float32),
        skip=_layer('skip.linear', weights.skip.linear, precision),
        correction=correction,
        relation=None if relation is None else _layer('relation', relation.linear, precision),
        lags=LAGS,
        rms_floor=float(RMS_FLOOR),
    )


def _correction(weights: CorrectionWeights, config: Config, precision: Precision) -> Correction:
    layers = {
        name: _layer(f'correction.{name}', layer, precision) for name, layer in weights.layers()
    }
    return Correction(
        embed=layers['embed'],
        blocks=tuple(
            Block(
                taps=block.taps,
                dilation=dilation(index, config.model),
                gain=block.gain,
                expand=layers[f'block{index}.expand'],
                contract=layers[f'block{index}.contract'],
            )
            for index, block in enumerate(weights.blocks)
        ),
        gain=weights.gain,
        head=layers['head'],
    )


def _layer(name: str, weights: DualPathWeights, precision: Precision) -> Layer:
    is_dense = precision is Precision.FP32
    if is_dense and weights.dense is None:
        raise ArtifactError(
            f'layer {name!r} was saved without its FP32 twin; use a 4-bit precision'
        )
    return Layer(
        units=units(weights.smoothing, weights.weight.group),
        steady=weights.steady.astype(np.float32),
        linear=prepare(weights.weight, weights.low_rank, weights.bias.astype(np.float32)),
        is_wide=weights.is_wide,
        dense=weights.dense if is_dense else None,
    )


_PIECE = 2_048  # tokens of a recording; memory for departures, which nobody keeps
_FORCED = {Precision.INT4_NEVER: False, Precision.INT4_ALWAYS: True}


class CompiledStreams:
    """S streams through one network, a patch of each at a time.

    All is allocated, and compiled or loaded from the cache, when this is made: no hop waits. One
    thread at a time may use it.
    """

    def __init__(
        self,
        weights: NetworkWeights,
        relation: RelationWeights | None = None,
        *,
        streams: int,
        precision: Precision = Precision.INT4_ROUTED,
    ) -> None:
        """Make ready.

        Args:
            weights: the network.
            relation: of the first C inputs; without it departures are empty.
            streams: S.
            precision: arithmetic of the dense layers; `never` and `always` override the mask.

        Raises:
            ArtifactError: FP32 is asked of a layer that was saved without its dense weights.
        """
        operands = stream_operands(weights, relation, precision=precision)
        self._packed = packing.pack(operands)
        self._state = memory.start(self._packed, streams)
        self._room = memory.room(self._packed, min(streams, memory.TOGETHER))
        self._forced = _FORCED.get(precision)
        self._clips = np.ascontiguousarray(SteadyClip(weights.skip, order=operands.order).limits)
        shape = (streams, operands.patch, operands.inputs)
        self._patches: Float32s = np.zeros(shape, np.float32)
        self._mask: Bools = np.zeros(streams, np.bool_)
        self._counts = np.zeros(streams, np.int64)
        self._measured = self._clips.shape[0] * operands.patch * operands.inputs
        self.prediction: Float32s = np.zeros(shape, np.float32)  # [S, P, I]
        shape = (*shape[:2], operands.channels)
        self.departure: Float32s = np.zeros(shape, np.float32)  # [S, P, C]
        self.clip_shares(self._patches)
        self.step(self._patches, self._mask)
        self.reset()

    def reset(self, stream: int | None = None) -> None:
        """Forget the past of one stream or of all: their next patch starts a segment."""
        chosen = range(len(self._mask)) if stream is None else (stream,)
        for index in chosen:
            self._state.reset(self._packed, index)

    def clip_shares(self, patches: Float32s) -> Floats:
        """Shares `[S]` of levels and differences beyond the steady INT4 clip.

        To be asked before `step` has taken the patches `[S, P, I]`.
        """
        self._take(patches)
        clip_counts(self._packed, self._state, self._patches, self._clips, self._counts)
        return self._counts / self._measured

    def _take(self, patches: Float32s) -> None:
        assert patches.shape == self._patches.shape, patches.shape
        np.copyto(self._patches, patches)

    def step(self, patches: Float32s, is_transient: Bools | bool) -> None:
        """Predict one patch of each stream, then remember it.

        `prediction` and `departure` hold what was found until the next step.

        Args:
            patches: `[S, P, I]` float32, re-based and scaled, finite.
            is_transient: `[S]` whether the token takes the FP16 path as well.
        """
        self._take(patches)
        self._mask[:] = is_transient if self._forced is None else self._forced
        stream_step(
            self._packed, self._state, self._room,
            self._patches, self._mask, self.prediction, self.departure,
        )  # fmt: skip

    def run(
        self, patches: Float32s, is_transient: Bools, prediction: Float32s, departure: Float32s
    ) -> None:
        """Take many patches of the one stream in, several at a time; the same bits as hop by hop.

        The attributes stay as they are. What this needs is allocated, and compiled or loaded,
        when it is called. Arguments as of `step` with n patches in place of S, then what is
        overwritten: `[n, P, I]` and `[n, P, C]` float32.
        """
        assert self._mask.shape == (1,), 'a recording is of one stream'
        assert patches.shape[1:] == self._patches.shape[1:], patches.shape
        mask = np.full(len(patches), is_transient if self._forced is None else self._forced)
        patches = np.ascontiguousarray(patches, np.float32)
        run(self._packed, self._state, patches, mask, prediction, departure)


class CompiledNetwork:
    """One stream, as `model.network.Network`, with the relation in the same call."""

    def __init__(
        self,
        weights: NetworkWeights,
        relation: RelationWeights | None = None,
        *,
        precision: Precision = Precision.INT4_ROUTED,
    ) -> None:
        """Make ready; arguments and errors as of `CompiledStreams`."""
        self._streams = CompiledStreams(weights, relation, streams=1, precision=precision)

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
        self._streams.reset()

    def clip_share(self, patch: Float32s) -> float:
        """As `CompiledStreams.clip_shares`, of one patch `[P, I]`."""
        return float(self._streams.clip_shares(patch[None])[0])

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch from what came before each of its rows, then remember it.

        Args:
            patch: `[P, I]` float32, re-based and scaled, finite.
            is_transient: whether the token takes the FP16 path as well.

        Returns:
            `[P, I]` float32.
        """
        self._streams.step(patch[None], is_transient)
        prediction: Float32s = self._streams.prediction[0].copy()
        return prediction

    def run(self, rows: Float32s, is_transient: Bools) -> Float32s:
        """Predict a whole recording, as `reset` and then stepping through it would, to the bit.

        Args:
            rows: `[T, I]` float32, T a multiple of P.
            is_transient: `[T/P]` the tokens' mask.

        Returns:
            `[T, I]` float32.
        """
        self.reset()
        tokens = is_transient.shape[0]
        patches = rows.reshape(tokens, *self._streams.prediction.shape[1:])
        prediction = np.empty(patches.shape, np.float32)
        departure = np.empty((_PIECE, *self._streams.departure.shape[1:]), np.float32)
        for first in range(0, tokens, _PIECE):
            piece = slice(first, first + _PIECE)
            found = prediction[piece]
            self._streams.run(patches[piece], is_transient[piece], found, departure[: len(found)])
        return prediction.reshape(rows.shape)

    @property
    def departure(self) -> Float32s:
        """What the patch taken last departs from the relation, `[P, C]`."""
        departure: Float32s = self._streams.departure[0].copy()
        return departure
