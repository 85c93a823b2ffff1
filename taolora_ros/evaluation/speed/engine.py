"""Latency of a hop of one stream: our engine beside what others run, all on one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from taolora_ros.evaluation.speed.folded import fold
from taolora_ros.evaluation.speed.hops import Hops, stepping
from taolora_ros.evaluation.speed.onnx_peer import onnx_peer
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.evaluation.speed.timing import Pace, Times, alternate
from taolora_ros.evaluation.speed.torch_network import TorchNetwork
from taolora_ros.evaluation.speed.window_peer import WindowPeer
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Float32s

OURS, OURS_FP32 = 'ours', 'ours_fp32'


@dataclass(frozen=True, eq=False)
class EngineFindings:
    """Times of a hop, by subject: `ours`, `ours_fp32` and the peers."""

    times: Mapping[str, Times]

    def ratio(self, other: str) -> float:
        """Median of another over ours."""
        return self.times[other].median_us / self.times[OURS].median_us

    def to_mapping(self) -> dict[str, Any]:
        """Median and 99th percentile of each, and ratios of the medians."""
        figures: dict[str, Any] = {}
        for name, times in self.times.items():
            figures[f'{name}_us'] = times.median_us
            figures[f'{name}_p99_us'] = times.p99_us
        for name in self.times:
            if name != OURS:
                figures[_ratio_key(name)] = self.ratio(name)
        return {**figures, 'calls_of_each': self.times[OURS].us.size}

    def targets(self) -> tuple[Target, ...]:
        """Latency, and how many times faster than ONNX Runtime and our own FP32."""
        return (
            Target('ours_us', 'hop, p50, in µs', self.times[OURS].median_us, at_most=60.0),
            Target(
                _ratio_key('onnxruntime_fp32'),
                'ONNX Runtime FP32 over its window / ours',
                self.ratio('onnxruntime_fp32'),
                at_least=12.0,
            ),
            Target(
                _ratio_key(OURS_FP32),
                'our engine in FP32 / at 4 bits',
                self.ratio(OURS_FP32),
                at_least=1.25,
            ),
        )


def measure_engine(
    workload: Workload,
    ours: Hops,
    ours_fp32: Hops,
    pace: Pace,
    *,
    progress: Callable[[float], None] = lambda share: None,
) -> EngineFindings:
    """Time our engine, its FP32 twin and all peers in turn.

    Args:
        workload: network and signal.
        ours: the engine at 4 bits, routed.
        ours_fp32: the same engine in FP32.
        pace: how often each is called.
        progress: told the share that is done, 0 to 1.
    """
    torch.set_num_threads(1)
    subjects = {OURS: ours, OURS_FP32: ours_fp32, **peers(workload)}
    calls = {name: stepping(hops, workload) for name, hops in subjects.items()}
    return EngineFindings(alternate(calls, pace, progress=progress))


def peers(workload: Workload) -> dict[str, Hops]:
    """ONNX Runtime in FP32 and INT8, and eager torch, each over the window at every hop."""
    config, folded = workload.network.config, fold(workload.network)
    tokens = config.window.length // config.window.patch
    assert folded.reach <= tokens, 'a window that is too short gives other numbers than ours'
    network = TorchNetwork(folded)

    def eager(rows: Float32s) -> tuple[Float32s, Float32s]:
        skip, correction = network.window(torch.from_numpy(rows))
        return skip.numpy(), correction.numpy()

    return {
        'onnxruntime_fp32': onnx_peer(folded, tokens=tokens),
        'onnxruntime_int8': onnx_peer(folded, tokens=tokens, int8=True),
        'torch_eager': WindowPeer(eager, tokens=tokens, patch=folded.patch, inputs=folded.inputs),
    }


def _ratio_key(name: str) -> str:
    return 'ratio_own_fp32' if name == OURS_FP32 else f'ratio_{name}'
