from __future__ import annotations

import pytest

from taolora_ros.config import Device
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.device import resolve
from taolora_ros.hardware.probe import Gpu, Machine

BARE = Machine('x86_64', 2, 8000, '', (), 'no NVIDIA driver (libcuda.so.1 is not found)')
ORIN = Machine('aarch64', 6, 7620, 'NVIDIA Jetson Orin Nano', (Gpu('Orin', (8, 7), 8, 7437),), '')


@pytest.mark.parametrize('machine', [BARE, ORIN], ids=['bare', 'orin'])
@pytest.mark.parametrize('wanted', [Device.AUTO, Device.CPU])
def test_the_cpu_can_always_be_had(machine: Machine, wanted: Device) -> None:
    assert resolve(wanted, machine) is Device.CPU


def test_cuda_without_a_gpu_says_why_and_what_to_do() -> None:
    with pytest.raises(DeviceError, match=r'no NVIDIA driver.*set device to auto or cpu'):
        resolve(Device.CUDA, BARE)


def test_cuda_with_a_gpu_that_no_engine_serves_says_so() -> None:
    with pytest.raises(DeviceError, match=r'runs on the CPU alone \(found Orin'):
        resolve(Device.CUDA, ORIN)


@pytest.mark.parametrize('machine', [BARE, ORIN], ids=['bare', 'orin'])
def test_a_refusal_is_one_line(machine: Machine) -> None:
    with pytest.raises(DeviceError) as caught:
        resolve(Device.CUDA, machine)
    assert '\n' not in str(caught.value)
