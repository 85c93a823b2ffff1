"""Bytes of the model of patch 8 as stored, as saved and as run, and of a running detector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taolora_ros.config import Device
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.speed.detector_process import ProcessMemory
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.hardware.plan import plan_memory

_FP16_BYTES, _FP32_BYTES = 2, 4
_LOW_RANK = ('down', 'up')
_FP32_TWIN = 'dense'


@dataclass(frozen=True, eq=False)
class MemoryFindings:
    """Sizes in bytes."""

    packed: Mapping[str, int]  # of network and relation by part, the low-rank path among them
    low_rank_bytes: int
    numbers: int  # parameters without rounding
    artifact_bytes: int  # of the file without the FP32 twin
    twin_bytes: int  # of the dense weights that `taolora evaluate` compares with
    resident: Mapping[str, int]  # of a detector's buffers by part
    detector: ProcessMemory | None  # None where there is no ROS 2

    @property
    def packed_bytes(self) -> int:
        """Bytes of both paths."""
        return sum(self.packed.values())

    @property
    def packed_over_fp16(self) -> float:
        """Share of the same parameters in FP16."""
        return self.packed_bytes / (_FP16_BYTES * self.numbers)

    @property
    def packed_over_fp32(self) -> float:
        """Share of the same parameters in FP32."""
        return self.packed_bytes / (_FP32_BYTES * self.numbers)

    def to_mapping(self) -> dict[str, Any]:
        """Totals, ratios and parts."""
        process = self.detector
        return {
            'parameters': self.numbers,
            'fp32_bytes': _FP32_BYTES * self.numbers,
            'fp16_bytes': _FP16_BYTES * self.numbers,
            'packed_bytes': self.packed_bytes,
            'low_rank_bytes': self.low_rank_bytes,
            'packed_over_fp16': self.packed_over_fp16,
            'packed_over_fp32': self.packed_over_fp32,
            'artifact_bytes': self.artifact_bytes,
            'artifact_fp32_twin_bytes': self.twin_bytes,
            'resident_buffers_bytes': sum(self.resident.values()),
            'detector_rss_mb': process.rss_mb if process else None,
            'detector_peak_mb': process.peak_mb if process else None,
            'detector_imports_torch': process.has_torch if process else None,
            'detector_runs_compiled_engine': process.has_compiler if process else None,
            'packed_by_part': _rows(self.packed),
            'resident_by_part': _rows(self.resident),
        }

    def targets(self) -> tuple[Target, ...]:
        """Sizes of the model and of the process."""
        process = self.detector
        return (
            Target('packed_over_fp16', 'packed model / FP16', self.packed_over_fp16, at_most=0.40),
            Target('packed_over_fp32', 'packed model / FP32', self.packed_over_fp32, at_most=0.20),
            Target(
                'detector_rss_mb',
                'resident memory of a running detector, in MB',
                process.rss_mb if process else None,
                at_most=220.0,
            ),
            Target(
                'detector_imports_torch',
                'torch in the detector (1 if imported)',
                float(process.has_torch) if process else None,
                at_most=0.0,
            ),
        )


def measure_memory(
    model: DetectorModel, *, file_bytes: int, detector: ProcessMemory | None
) -> MemoryFindings:
    """Count bytes.

    Args:
        model: a detector with the network in question.
        file_bytes: of its artifact, the FP32 twin included.
        detector: a process that runs it; None where there is none.
    """
    watch = model.watch
    layers = watch.layers().values()
    twin = sum(layer.dense.nbytes for layer in layers if layer.dense is not None)
    plan = plan_memory(model, model.config, Device.CPU)
    packed = _packed_parts(model)
    assert sum(packed.values()) == watch.packed_bytes
    return MemoryFindings(
        packed=packed,
        low_rank_bytes=sum(packed[part] for part in _LOW_RANK),
        numbers=watch.numbers,
        artifact_bytes=file_bytes - twin,
        twin_bytes=twin,
        resident={part.value: size for part, size in plan.part_bytes().items()},
        detector=detector,
    )


def _packed_parts(model: DetectorModel) -> dict[str, int]:
    """Bytes of every kind of tensor, over all layers."""
    tensors = {**model.watch.network.to_tensors(), **model.watch.relation.to_tensors()}
    parts: dict[str, int] = defaultdict(int)
    for name, tensor in tensors.items():
        part = name.rpartition('.')[2]
        if part != _FP32_TWIN:
            parts[part] += tensor.nbytes
    return dict(parts)


def _rows(parts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{'part': part, 'bytes': size} for part, size in parts.items()]
