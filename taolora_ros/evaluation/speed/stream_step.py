"""Latency of a hop on the GPU beside CUDA graphs of FP16 torch on the same network.

A hop is timed on the host, from the patch in its memory to the prediction in its memory: all
subjects copy through pinned memory and wait for the device, and each is one CUDA graph.

P rows a patch, I inputs a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from taolora_ros.evaluation.speed.cuda_timing import captured
from taolora_ros.evaluation.speed.folded import fold
from taolora_ros.evaluation.speed.hops import Hops, OneStream, Streams, stepping
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.evaluation.speed.timing import Pace, Times, alternate
from taolora_ros.evaluation.speed.torch_network import TorchNetwork
from taolora_ros.evaluation.speed.torch_stream import TorchStream, TorchWindow
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Float32s

_OURS, _TOKEN, _WINDOW = 'ours', 'torch_fp16_token', 'torch_fp16_window'


@dataclass(frozen=True, eq=False)
class StreamStepFindings:
    """Times of a hop, by subject."""

    times: Mapping[str, Times]

    def ratio(self, other: str) -> float:
        """Median of another over ours."""
        return self.times[other].median_us / self.times[_OURS].median_us

    def to_mapping(self) -> dict[str, Any]:
        """Median and 99th percentile of each, and ratios of the medians."""
        figures: dict[str, Any] = {}
        for name, times in self.times.items():
            figures[f'{name}_us'] = times.median_us
            figures[f'{name}_p99_us'] = times.p99_us
        return {**figures, **{f'ratio_{name}': self.ratio(name) for name in (_TOKEN, _WINDOW)}}

    def targets(self) -> tuple[Target, ...]:
        """How many times faster than torch in both forms."""
        return (
            Target(
                f'ratio_{_TOKEN}',
                'CUDA graph of FP16 torch, token by token / ours',
                self.ratio(_TOKEN),
                at_least=2.0,
            ),
            Target(
                f'ratio_{_WINDOW}',
                'CUDA graph of FP16 torch, window by window / ours',
                self.ratio(_WINDOW),
                at_least=10.0,
            ),
        )


class Graphed:
    """A torch form of the network as one CUDA graph, copies included."""

    def __init__(self, form: TorchStream | TorchWindow) -> None:
        self._patch = torch.zeros(form.patch.shape, pin_memory=True)
        self._prediction = torch.zeros(form.patch.shape, pin_memory=True)
        arriving, leaving = (torch.zeros(form.patch.shape, device='cuda') for _ in range(2))

        def hop() -> None:
            arriving.copy_(self._patch, non_blocking=True)
            form.patch.copy_(arriving)
            form.step()
            leaving.copy_(form.prediction)
            self._prediction.copy_(leaving, non_blocking=True)

        self._graph = captured(hop)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch `[P, I]`; a peer has no mask."""
        np.copyto(self._patch.numpy(), patch)
        self._graph.replay()
        torch.cuda.current_stream().synchronize()
        prediction: Float32s = self._prediction.numpy()
        return prediction


def measure_stream_step(
    workload: Workload,
    ours: Streams,
    pace: Pace,
    *,
    progress: Callable[[float], None] = lambda share: None,
) -> StreamStepFindings:
    """Time our hop and both forms of torch's in turn.

    Args:
        workload: network and signal.
        ours: the engine, of one stream.
        pace: how often each is called.
        progress: told the share that is done, 0 to 1.
    """
    config = workload.network.config
    network = TorchNetwork(fold(workload.network), device='cuda', dtype=torch.float16)
    tokens = config.window.length // config.window.patch
    subjects: dict[str, Hops] = {
        _OURS: OneStream(ours),
        _TOKEN: Graphed(TorchStream(network)),
        _WINDOW: Graphed(TorchWindow(network, tokens)),
    }
    calls = {name: stepping(hops, workload) for name, hops in subjects.items()}
    return StreamStepFindings(alternate(calls, pace, progress=progress))
