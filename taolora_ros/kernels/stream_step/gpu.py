"""One hop of the network for S streams on the GPU, in one launch.

The formula is that of `reference`. A program serves up to 16 streams, the rows of one tensor-core
tile, and plays one of three roles, side by side on different multiprocessors: skip, correction or
relation. No role waits for another: what the correction says of the next patch lies in one of two
buffers by the parity of the hop, rows of the patch are read where they arrive, and each role
counts its own hops. Between layers a program passes activations to itself through a scratch
buffer that stays in L1 and L2, with a barrier of its own threads.

Shapes, offsets and the inputs of each layer are data, not constants: one binary serves every
model of the same group, rank and activation, and the loop over blocks is a loop. Weights lie in
three arenas, one a type, in the order in which they are read. All state is on the device; a hop
takes a patch and a mask there and brings a prediction and a departure back.

S streams, P rows a patch, I inputs a row, C channels, K inputs and N outputs of a layer, R rank,
d features, E hidden features, B blocks, G group size, W the widest layer, H rows of history.
"""

from __future__ import annotations

import subprocess

import numpy as np
import torch
import triton
from triton.errors import TritonError

from taolora_ros.errors import DeviceError
from taolora_ros.kernels.stream_step.gpu_kernel import LARGEST_GROUP, TILES, variant
from taolora_ros.kernels.stream_step.operands import StreamOperands
from taolora_ros.kernels.stream_step.plan import Size, plan
from taolora_ros.samples import Bools, Float32s

ROLES = 3
STREAMS = 16  # of a program

# What a device, its driver, the compiler and the tools that it calls raise; torch asserts that it
# was built for CUDA.
_FAILURES = (RuntimeError, AssertionError, OSError, subprocess.SubprocessError, TritonError)


class GpuStreams:
    """The network ready to run for S streams, with its state on the device.

    On a CUDA device a hop is one CUDA graph: patches and mask go there from pinned memory, one
    kernel runs, predictions and departures come back. On `cpu` the kernel runs in Triton's
    interpreter, for tests.
    """

    def __init__(
        self, operands: StreamOperands, *, streams: int, device: str | torch.device = 'cuda'
    ) -> None:
        """Lay everything out, compile, and capture the graph.

        Args:
            operands: the network at 4 bits.
            streams: S.
            device: where it runs.

        Raises:
            DeviceError: the network is the FP32 twin or has too large groups, a buffer is too
                large to be indexed with 32 bits, the kernel can't be compiled, or the device
                fails.
        """
        if any(layer.dense is not None for layer in operands.layers()):
            raise DeviceError(
                'device: the GPU engine runs at 4 bits alone; take the CPU for the FP32 twin'
            )
        if operands.group > LARGEST_GROUP:
            raise DeviceError(
                f'quantization.group: {operands.group} is too large for the GPU engine; set '
                f'device to cpu, or train with at most {LARGEST_GROUP}'
            )
        self._device = torch.device(device)
        laid = plan(operands, streams)
        self._programs = triton.cdiv(streams, STREAMS)
        patch, inputs = operands.patch, operands.inputs
        history = laid.size(Size.HISTORY)
        scratch = self._programs * ROLES * STREAMS * laid.widest
        numbers = {
            'patches': streams * patch * inputs,
            'rows': streams * history * inputs,
            'tokens': laid.token_numbers,
            'scratch': 3 * scratch,
        }
        if too_large := [name for name, count in numbers.items() if count >= 2**31]:
            raise DeviceError(
                f'streams: {streams} streams need {numbers[too_large[0]]} numbers of '
                f'{too_large[0]}; at most {2**31 - 1} are possible, so use fewer streams'
            )
        try:
            capability = (
                torch.cuda.get_device_capability(self._device)
                if self._device.type == 'cuda'
                else min(TILES)
            )
            self._variant = variant(operands.group, laid.rank, operands.activation, capability)
            self._allocate(operands, streams, laid.widest, numbers)
            self._weights = tuple(
                torch.from_numpy(part).to(self._device)
                for part in (laid.table, laid.packed, laid.floats, laid.halves)
            )
            self._graph = self._capture() if self._device.type == 'cuda' else None
            self.reset()
        except _FAILURES as error:
            raise _lost(error) from error

    def _allocate(
        self, operands: StreamOperands, streams: int, widest: int, numbers: dict[str, int]
    ) -> None:
        patch, inputs, channels = operands.patch, operands.inputs, operands.channels
        is_pinned = self._device.type == 'cuda'

        def here(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, pin_memory=is_pinned)

        def there(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=self._device)

        rows = self._programs * ROLES * STREAMS
        self._host = (
            here(streams, patch, inputs),
            here(streams, dtype=torch.uint8),
            here(streams, patch, inputs),
            here(streams, patch, channels),
        )
        self._here_and_there = tuple(
            there(*part.shape, dtype=part.dtype) if part.numel() else there(1)
            for part in self._host
        )
        self._hops = there(ROLES, streams, dtype=torch.int64)
        self._state = (
            there(streams, numbers['rows'] // (streams * inputs), inputs),
            there(2, streams, patch, inputs),
            there(max(1, numbers['tokens'])),
        )
        self._scratch = (
            there(rows * 3 * widest),
            there(rows * widest, dtype=torch.int8),
            there(rows * (widest // operands.group)),
        )
        patches, mask, prediction, departure = (part.numpy() for part in self._host)
        self._patches: Float32s = patches
        self._mask = mask
        self.prediction: Float32s = prediction  # [S, P, I], overwritten by each step
        self.departure: Float32s = departure  # [S, P, C] likewise

    @property
    def buffers(self) -> dict[str, int]:
        """Bytes on the device by what they hold."""

        def size(parts: tuple[torch.Tensor, ...]) -> int:
            return sum(part.numel() * part.element_size() for part in parts)

        return {
            'weights': size(self._weights),
            'state': size((self._hops, *self._state)),
            'scratch': size(self._scratch),
            'inputs and outputs': size(self._here_and_there),
        }

    def reset(self, stream: int | None = None) -> None:
        """Forget the past of one stream, or of all: the next patch starts a segment.

        Raises:
            DeviceError: the device fails; its state is lost.
        """
        try:
            if stream is None:
                self._hops.zero_()
            else:
                self._hops[:, stream] = 0
        except _FAILURES as error:
            raise _lost(error) from error

    def step(self, patches: Float32s, is_transient: Bools) -> None:
        """Take one patch of each stream in; `prediction` and `departure` then hold its answer.

        Args:
            patches: `[S, P, I]` float32, finite.
            is_transient: `[S]` the mask.

        Raises:
            DeviceError: the device fails; its state is lost.
        """
        np.copyto(self._patches, patches)
        np.copyto(self._mask, is_transient, casting='unsafe')
        try:
            if self._graph is None:
                self._hop()
            else:
                self._graph.replay()
                torch.cuda.current_stream(self._device).synchronize()
        except _FAILURES as error:
            raise _lost(error) from error

    def _hop(self) -> None:
        """Enqueue one hop: copies there, the kernel, copies back."""
        patches, mask, prediction, departure = self._here_and_there
        patches.copy_(self._host[0], non_blocking=True)
        mask.copy_(self._host[1], non_blocking=True)
        self._variant.launch(
            (self._programs, ROLES),
            *self._weights,
            patches,
            mask,
            prediction,
            departure,
            self._hops,
            *self._state,
            *self._scratch,
        )
        self._host[2].copy_(prediction, non_blocking=True)
        if self._host[3].numel():
            self._host[3].copy_(departure, non_blocking=True)

    def _capture(self) -> torch.cuda.CUDAGraph:
        """The hop as a CUDA graph, after one launch that compiles the kernel."""
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream()
            with torch.cuda.stream(side):
                self._hop()
            side.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=side):
                self._hop()
        return graph


def _lost(error: Exception) -> DeviceError:
    # The compiler's own words of an error come after an excerpt of the source.
    said = getattr(error, 'error_message', None) or str(error) or type(error).__name__
    reason = ' '.join(said.split())
    return DeviceError(f'device: the GPU engine failed: {reason:.200}; set device to cpu')
