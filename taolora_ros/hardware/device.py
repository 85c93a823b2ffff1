"""Which engine runs the network: what `device: auto|cpu|cuda` means on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from taolora_ros.config import Device
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.probe import Machine

LEAST_CAPABILITY = (8, 0)  # Ampere: INT8 products on tensor cores as the kernels use them
_TORCH_CUDA = Path('lib', 'libtorch_cuda.so')  # in a torch that was built with CUDA


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine to run, and the reason in words."""

    device: Device  # CPU or CUDA
    why: str


def resolve(wanted: Device, machine: Machine) -> EngineChoice:
    """The engine to run; `auto` takes the GPU's where it can be had.

    Args:
        wanted: what the user asks for.
        machine: what there is.

    Raises:
        DeviceError: CUDA is asked for and cannot be had; says why.
    """
    if wanted is Device.CPU:
        return EngineChoice(Device.CPU, 'device: cpu is asked for')
    absence = cuda_absence(machine)
    if wanted is Device.CUDA and absence:
        raise DeviceError(f'device: cuda is asked for, but {absence}; set device to auto or cpu')
    if wanted is Device.CUDA:
        return EngineChoice(Device.CUDA, f'device: cuda is asked for, and {machine.gpus[0]} found')
    if absence:
        return EngineChoice(Device.CPU, f'device: auto, and {absence}')
    return EngineChoice(Device.CUDA, f'device: auto, and {machine.gpus[0]} found')


def cuda_absence(machine: Machine) -> str:
    """Why the GPU's engine cannot be had; empty where it can.

    Nothing heavy is imported to find out.
    """
    if not machine.gpus:
        return machine.gpu_absence
    gpu = machine.gpus[0]
    if gpu.capability < LEAST_CAPABILITY:
        needed = '.'.join(map(str, LEAST_CAPABILITY))
        return f'the GPU engine needs compute capability {needed} (found {gpu})'
    return _missing_package()


def _missing_package() -> str:
    """Which package the GPU engine lacks; empty where it lacks none."""
    specs = {name: find_spec(name) for name in ('torch', 'triton')}
    for name, spec in specs.items():
        if spec is None or spec.origin is None:
            return f'{name} is not installed, which the GPU engine needs'
        if name == 'torch' and not (Path(spec.origin).parent / _TORCH_CUDA).exists():
            return 'the torch installed is built for the CPU alone, and the GPU engine needs CUDA'
    return ''
