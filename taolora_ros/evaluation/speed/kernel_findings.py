"""What was measured of the dual-path layer on a GPU, over shapes and low-rank shares.

M rows, K inputs, N outputs, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from taolora_ros.evaluation.speed.targets import Target

OURS, WITHOUT, TORCH_COMPILE = 'ours', 'without_low_rank', 'torch_compile_fp16'


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer."""

    inputs: int  # K
    outputs: int  # N
    rank: int  # R
    is_network: bool  # whether the default network has it


@dataclass(frozen=True, slots=True)
class KernelTimes:
    """Medians in µs of one shape, share and number of rows."""

    rows: int
    shape: Shape
    low_rank_share: float
    us: dict[str, float]  # by subject: ours, ours_quantizing, without_low_rank and the peers

    @property
    def overhead(self) -> float:
        """Of the low-rank path over the same layer without one, 0.03 being 3 %."""
        return self.us[OURS] / self.us[WITHOUT] - 1.0

    def to_mapping(self) -> dict[str, Any]:
        """Plain data."""
        compiled = self.us.get(TORCH_COMPILE)
        return {
            'rows': self.rows,
            'inputs': self.shape.inputs,
            'outputs': self.shape.outputs,
            'is_network': self.shape.is_network,
            'low_rank_share': self.low_rank_share,
            **{f'{name}_us': us for name, us in self.us.items()},
            'low_rank_overhead': self.overhead,
            'torch_compile_over_ours': compiled / self.us[OURS] if compiled else None,
        }


@dataclass(frozen=True, eq=False)
class KernelFindings:
    """All measurements, and why some peers are missing."""

    times: Sequence[KernelTimes]
    absences: dict[str, str]

    def to_mapping(self) -> dict[str, Any]:
        """A row a measurement."""
        rows = [times.to_mapping() for times in self.times]
        keys = list(dict.fromkeys(key for row in rows for key in row))
        return {
            'by_shape': [{key: row.get(key) for key in keys} for row in rows],
            'absent_peers': [{'peer': name, 'why': why} for name, why in self.absences.items()],
        }

    def targets(self) -> tuple[Target, ...]:
        """The worst case of each promise."""
        network = [times for times in self.times if times.shape.is_network]
        against = [
            times.us[TORCH_COMPILE] / times.us[OURS]
            for times in network
            if TORCH_COMPILE in times.us
        ]
        full = [times.overhead for times in self.times if times.low_rank_share == 1.0]
        none = [times.overhead for times in self.times if times.low_rank_share == 0.0]
        return (
            Target(
                'torch_compile_over_ours',
                "torch.compile FP16 / ours, least over the network's shapes",
                min(against, default=None),
                at_least=1.0,
            ),
            Target(
                'low_rank_overhead',
                'low-rank overhead where all rows take it, median over shapes',
                float(np.median(full)) if full else None,
                at_most=0.03,
            ),
            Target(
                'low_rank_overhead',
                'low-rank overhead where no row takes it, median over shapes',
                float(np.median(none)) if none else None,
                at_most=0.01,
            ),
        )
