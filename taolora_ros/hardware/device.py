"""Where the network runs: what `device: auto|cpu|cuda` means on this machine."""

from __future__ import annotations

from taolora_ros.config import Device
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.probe import Machine

ENGINES = frozenset({Device.CPU})  # devices that an inference engine exists for


def resolve(wanted: Device, machine: Machine) -> Device:
    """The device to run on; `auto` takes the fastest that can be had.

    Raises:
        DeviceError: CUDA is asked for and cannot be had; says why.
    """
    if wanted is Device.CUDA:
        if not machine.gpus:
            raise DeviceError(
                f'device: cuda is asked for, but {machine.gpu_absence}; set device to auto or cpu'
            )
        if Device.CUDA not in ENGINES:
            raise DeviceError(
                f'device: cuda is asked for, but this version runs on the CPU alone '
                f'(found {machine.gpus[0]}); set device to auto or cpu'
            )
        return Device.CUDA
    if wanted is Device.AUTO and machine.gpus and Device.CUDA in ENGINES:
        return Device.CUDA
    return Device.CPU
