"""The memory plan: every buffer of a detector, before any of it is made.

It answers whether a detector fits its budget, whether the network stays in the GPU's L2 cache, and
how many bytes a hop reads. Python, NumPy, Numba and ROS themselves are not in it, and on a GPU
neither are torch (nor what its allocators round up), the CUDA context and Triton's cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from taolora_ros.config import Config, Device
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.buffers import Buffer, Part, Place
from taolora_ros.hardware.cuda import Gpu
from taolora_ros.hardware.network_buffers import network_buffers
from taolora_ros.hardware.stream_buffers import stream_buffers

_MB = 1e6
# What makes a part smaller.
_REMEDIES = {
    Part.WEIGHTS: 'train with a smaller model.width or fewer model.blocks',
    Part.OPERANDS: 'train with a smaller model.width or fewer model.blocks',
    Part.SCRATCH: 'train with a smaller model.width',
    Part.OUTLIERS: 'lower preservation.max_mb',
    Part.INTAKE: 'lower queue',
    Part.EVIDENCE: 'train with a shorter detection.warmup_s',
}
_DEFAULT_REMEDY = 'watch fewer channels'


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of weights and states that one hop of one stream reads."""

    steady_bytes: int  # a hop on the INT4 path alone
    transient_bytes: int  # a hop on both paths

    def moved(self, *, steady_hops: int, transient_hops: int) -> int:
        """Bytes that so many hops have read."""
        return steady_hops * self.steady_bytes + transient_hops * self.transient_bytes


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """All buffers of one detector on one device."""

    buffers: tuple[Buffer, ...]

    @property
    def total_bytes(self) -> int:
        """Of all buffers, wherever they live."""
        return sum(buffer.bytes for buffer in self.buffers)

    def part_bytes(self) -> dict[Part, int]:
        """Bytes of each part, in the order of `Part`."""
        return {
            part: sum(buffer.bytes for buffer in self.buffers if buffer.part is part)
            for part in Part
        }

    @property
    def traffic(self) -> Traffic:
        """Bytes that a hop reads on the device that the plan is for."""
        return _traffic(buffer for buffer in self.buffers if not buffer.is_spare)

    @property
    def spare_traffic(self) -> Traffic:
        """Bytes that a hop reads once the CPU has taken over from the GPU; none on the CPU."""
        return _traffic(buffer for buffer in self.buffers if buffer.is_spare)

    def l2_share(self, gpu: Gpu) -> float | None:
        """Share of the L2 cache that all buffers on the GPU take, scratch included.

        Up to 1 they stay there from hop to hop. None where the driver does not tell the size.
        """
        if gpu.l2_bytes is None:
            return None
        resident = sum(buffer.bytes for buffer in self.buffers if buffer.place is Place.GPU)
        return resident / gpu.l2_bytes

    def require_fit(self, budget_mb: float) -> None:
        """Refuse a detector that takes more than its budget.

        Args:
            budget_mb: in MB of 10⁶ bytes; 0 for no limit.

        Raises:
            DeviceError: says how much is needed, of what, and what to do.
        """
        needed_mb = self.total_bytes / _MB
        if not budget_mb or needed_mb <= budget_mb:
            return
        parts = self.part_bytes()
        largest = max(parts, key=parts.__getitem__)
        shares = ', '.join(f'{part.value} {size / _MB:.3g}' for part, size in parts.items())
        raise DeviceError(
            f'memory_budget_mb: the detector needs {needed_mb:.3g} MB ({shares}), the budget is '
            f'{budget_mb:g}; raise it, or {_REMEDIES.get(largest, _DEFAULT_REMEDY)}'
        )


def _traffic(buffers: Iterable[Buffer]) -> Traffic:
    steady = fp16 = 0
    for buffer in buffers:
        steady, fp16 = steady + buffer.steady_bytes, fp16 + buffer.fp16_bytes
    return Traffic(steady, steady + fp16)


def plan_memory(
    model: DetectorModel, config: Config, device: Device, *, queue: int = 0
) -> MemoryPlan:
    """Plan every buffer of a detector.

    Args:
        model: the trained detector.
        config: settings in force.
        device: where the network runs, CPU or CUDA.
        queue: messages of a topic that may wait to be drained; 0 where messages aren't queued.
    """
    assert device is not Device.AUTO, 'a plan is for the device that was chosen'
    layers = network_buffers(model.watch, device)
    return MemoryPlan((*layers, *stream_buffers(model, config, queue=queue)))
