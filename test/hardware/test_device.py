from __future__ import annotations

import dataclasses
import importlib.machinery
from pathlib import Path

import pytest

from taolora_ros.config import Device
from taolora_ros.errors import DeviceError
from taolora_ros.hardware import device
from taolora_ros.hardware.device import EngineChoice, resolve
from taolora_ros.hardware.probe import Machine


def _install(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *packages: str, with_cuda: bool = True
) -> None:
    """Make these packages the only ones that can be found."""
    for package in packages:
        (folder / package / 'lib').mkdir(parents=True)
    if 'torch' in packages and with_cuda:
        (folder / 'torch/lib/libtorch_cuda.so').touch()

    def find(name: str) -> importlib.machinery.ModuleSpec | None:
        if name not in packages:
            return None
        origin = str(folder / name / '__init__.py')
        return importlib.machinery.ModuleSpec(name, None, origin=origin)

    monkeypatch.setattr(device, 'find_spec', find)


def test_the_cpu_can_always_be_had(bare: Machine, orin: Machine) -> None:
    for machine in (bare, orin):
        assert resolve(Device.CPU, machine).device is Device.CPU
    assert resolve(Device.AUTO, bare) == EngineChoice(
        Device.CPU, 'device: auto, and no NVIDIA driver (libcuda.so.1 is not found)'
    )


def test_cuda_without_a_gpu_says_why_and_what_to_do(bare: Machine) -> None:
    with pytest.raises(DeviceError, match=r'no NVIDIA driver.*set device to auto or cpu'):
        resolve(Device.CUDA, bare)


def test_a_gpu_that_is_too_old_is_refused_by_its_capability(
    orin: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _install(monkeypatch, tmp_path, 'torch', 'triton')
    xavier = dataclasses.replace(orin.gpus[0], name='Xavier', capability=(7, 2))
    machine = dataclasses.replace(orin, gpus=(xavier,))
    with pytest.raises(DeviceError, match=r'needs compute capability 8\.0 \(found Xavier.* 7\.2'):
        resolve(Device.CUDA, machine)
    assert resolve(Device.AUTO, machine).device is Device.CPU


@pytest.mark.parametrize(
    ('packages', 'with_cuda', 'said'),
    [
        ((), True, 'torch is not installed'),
        (('torch',), True, 'triton is not installed'),
        (('torch', 'triton'), False, 'torch installed is built for the CPU alone'),
    ],
)
def test_the_package_that_the_gpu_engine_lacks_is_named(
    orin: Machine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    packages: tuple[str, ...],
    with_cuda: bool,
    said: str,
) -> None:
    _install(monkeypatch, tmp_path, *packages, with_cuda=with_cuda)
    with pytest.raises(DeviceError, match=said) as caught:
        resolve(Device.CUDA, orin)
    assert '\n' not in str(caught.value)
    assert said in resolve(Device.AUTO, orin).why


def test_auto_takes_the_gpu_where_all_is_there(
    orin: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _install(monkeypatch, tmp_path, 'torch', 'triton')
    for wanted in (Device.AUTO, Device.CUDA):
        choice = resolve(wanted, orin)
        assert choice.device is Device.CUDA
        assert 'Orin (compute capability 8.7' in choice.why
    assert resolve(Device.CPU, orin).device is Device.CPU
