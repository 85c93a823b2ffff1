"""One detector on one machine: which engine runs it, and the memory that it takes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from taolora_ros.config import Config, Device
from taolora_ros.engine import DetectorModel
from taolora_ros.hardware.device import EngineChoice, resolve
from taolora_ros.hardware.jetson import read_jetson
from taolora_ros.hardware.plan import MemoryPlan, Traffic, plan_memory
from taolora_ros.hardware.probe import Machine
from taolora_ros.hardware.readings import UNKNOWN

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was decided before a detector starts."""

    machine: Machine
    engine: EngineChoice
    memory: MemoryPlan
    budget_mb: float  # 0 where there is no limit

    def facts(self, root: Path = Path('/')) -> dict[str, str]:
        """Engine, memory and machine in words, by name; a Jetson's readings as they are now.

        Args:
            root: where /proc, /sys, /etc and /var are found.
        """
        parts = self.memory.part_bytes()
        budget = f'{self.budget_mb:g} MB' if self.budget_mb else 'none'
        return {
            'engine': self.engine.device.value,
            'why': self.engine.why,
            'memory planned': f'{self.memory.total_bytes / _MB:.3f} MB',
            'memory budget': budget,
            **{f'memory of {part.value}': f'{size} bytes' for part, size in parts.items() if size},
            **self._residency(),
            **self._machine_now(root).facts(),
        }

    def traffic(self, failure: str = '') -> Traffic:
        """Bytes that a hop reads.

        Args:
            failure: why the GPU was given up for the CPU; empty where it was not.
        """
        return self.memory.spare_traffic if failure else self.memory.traffic

    def _residency(self) -> dict[str, str]:
        if self.engine.device is not Device.CUDA:
            return {}
        share = self.memory.l2_share(self.machine.gpus[0])
        return {'share of L2': UNKNOWN if share is None else f'{share:.1%}'}

    def _machine_now(self, root: Path) -> Machine:
        if self.machine.jetson is None:
            return self.machine
        return dataclasses.replace(self.machine, jetson=read_jetson(root) or self.machine.jetson)


def deploy(
    model: DetectorModel, config: Config, machine: Machine, *, queue: int = 0
) -> Deployment:
    """Choose the engine and plan the memory.

    Args:
        model: the trained detector.
        config: settings in force.
        machine: where it would run.
        queue: messages of a topic that may wait to be drained; 0 where messages aren't queued.

    Raises:
        DeviceError: the device asked for cannot be had, or the budget is too small.
    """
    engine = resolve(config.device, machine)
    memory = plan_memory(model, config, engine.device, queue=queue)
    memory.require_fit(config.memory_budget_mb)
    return Deployment(machine, engine, memory, config.memory_budget_mb)
