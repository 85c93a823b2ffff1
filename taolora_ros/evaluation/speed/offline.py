"""How fast a whole recording is worked off, against torch in FP32 on the same network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from taolora_ros.evaluation.speed.folded import fold
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.evaluation.speed.timing import US_PER_S, Pace, Times, alternate
from taolora_ros.evaluation.speed.torch_network import TorchNetwork
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Bools, Float32s

# From all rows [T, I] and the tokens' mask [T/P] to the predictions [T, I].
RunRecording = Callable[[Float32s, Bools], Float32s]


@dataclass(frozen=True, eq=False)
class OfflineFindings:
    """Times of the whole recording."""

    rows: int  # T
    ours: Times
    with_relation: Times  # which torch hasn't got
    torch_fp32: Times

    @property
    def ratio(self) -> float:
        """Median of torch over ours, of the same network."""
        return self.torch_fp32.median_us / self.ours.median_us

    def to_mapping(self) -> dict[str, Any]:
        """Rows a second of all three."""
        subjects = {
            'ours': self.ours,
            'ours_with_relation': self.with_relation,
            'torch_fp32': self.torch_fp32,
        }
        return {
            'rows': self.rows,
            **{
                f'{name}_rows_per_s': self.rows / times.median_us * US_PER_S
                for name, times in subjects.items()
            },
            **{f'{name}_ms': times.median_us / 1e3 for name, times in subjects.items()},
            'ratio_torch_fp32': self.ratio,
            'ratio_torch_fp32_with_relation': (
                self.torch_fp32.median_us / self.with_relation.median_us
            ),
        }

    def targets(self) -> tuple[Target, ...]:
        """How many times faster than torch."""
        return (
            Target(
                'ratio_torch_fp32',
                'rows a second, ours / torch FP32 eager',
                self.ratio,
                at_least=3.0,
            ),
        )


def measure_offline(
    workload: Workload,
    run: RunRecording,
    with_relation: RunRecording,
    pace: Pace,
    *,
    progress: Callable[[float], None] = lambda share: None,
) -> OfflineFindings:
    """Time runs of the workload's whole signal in turn, each on one thread.

    Args:
        workload: network and signal.
        run: our engine of the network, which torch runs as well.
        with_relation: our engine that works out departures from the relation beside it.
        pace: how often each is called.
        progress: told the share that is done, 0 to 1.
    """
    torch.set_num_threads(1)
    network = TorchNetwork(fold(workload.network))
    rows = torch.from_numpy(workload.rows)
    subjects = {
        'ours': lambda: run(workload.rows, workload.is_transient),
        'with_relation': lambda: with_relation(workload.rows, workload.is_transient),
        'torch_fp32': lambda: network.recording(rows),
    }
    times = alternate(subjects, pace, progress=progress)
    return OfflineFindings(rows=workload.rows.shape[0], **times)
