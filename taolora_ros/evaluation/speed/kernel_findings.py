"""What was measured of the dual-path layer on a GPU, over shapes and low-rank shares.

M rows, K inputs, N outputs, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taolora_ros.evaluation.speed.targets import Target

OURS, QUANTIZING, WITHOUT = 'ours', 'ours_quantizing', 'without_low_rank'
TORCH_COMPILE = 'torch_compile_fp16'


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer."""

    inputs: int  # K
    outputs: int  # N
    rank: int  # R
    is_network: bool  # whether the network of patch 8 has it


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

    @property
    def over_torch_compile(self) -> float | None:
        """How many times faster than torch.compile in FP16; ours has to round its rows first."""
        compiled = self.us.get(TORCH_COMPILE)
        return None if compiled is None else compiled / self.us[QUANTIZING]

    def to_mapping(self) -> dict[str, Any]:
        """Plain data."""
        return {
            'rows': self.rows,
            'inputs': self.shape.inputs,
            'outputs': self.shape.outputs,
            'is_network': self.shape.is_network,
            'low_rank_share': self.low_rank_share,
            **{f'{name}_us': us for name, us in self.us.items()},
            'low_rank_overhead': self.overhead,
            'torch_compile_over_ours': self.over_torch_compile,
        }


@dataclass(frozen=True, eq=False)
class KernelFindings:
    """All measurements, and why some peers are missing."""

    times: Sequence[KernelTimes]
    absences: dict[str, str]

    def to_mapping(self) -> dict[str, Any]:
        """The worst cases, and a row a measurement."""
        rows = [times.to_mapping() for times in self.times]
        keys = list(dict.fromkeys(key for row in rows for key in row))
        return {
            **{target.figure: target.measured for target in self.targets()},
            'by_shape': [{key: row.get(key) for key in keys} for row in rows],
            'absent_peers': [{'peer': name, 'why': why} for name, why in self.absences.items()],
        }

    def targets(self) -> tuple[Target, ...]:
        """The worst case of each promise."""
        network = [times.over_torch_compile for times in self.times if times.shape.is_network]
        against = [ratio for ratio in network if ratio is not None]
        full = [times.overhead for times in self.times if times.low_rank_share == 1.0]
        none = [times.overhead for times in self.times if times.low_rank_share == 0.0]
        return (
            Target(
                'least_torch_compile_over_ours',
                "torch.compile FP16 / ours with its rounding, least over the network's shapes",
                min(against, default=None),
                at_least=1.0,
            ),
            Target(
                'most_low_rank_overhead_all_rows',
                'low-rank overhead where all rows take it, most over all shapes',
                max(full, default=None),
                at_most=0.03,
            ),
            Target(
                'most_low_rank_overhead_no_row',
                'low-rank overhead where no row takes it, most over all shapes',
                max(none, default=None),
                at_most=0.01,
            ),
        )
