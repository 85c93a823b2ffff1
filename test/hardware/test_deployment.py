from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from taolora_ros.config import Device
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.deployment import Deployment, deploy
from taolora_ros.hardware.device import EngineChoice
from taolora_ros.hardware.plan import plan_memory
from taolora_ros.hardware.probe import Machine

WriteTree = Callable[..., Path]


def test_a_detector_is_deployed_on_a_machine_without_a_gpu(
    detector: DetectorModel, bare: Machine
) -> None:
    deployment = deploy(detector, detector.config, bare)
    assert deployment.engine.device is Device.CPU
    facts = deployment.facts()
    assert facts['engine'] == 'cpu'
    assert facts['why'].startswith('device: auto, and no NVIDIA driver')
    assert facts['memory budget'] == 'none'
    states = 4 * ((7 + 4) * 3 + 4 * 3 + 8 * 32) + 1 + 2 * 8
    assert facts['memory of states'] == f'{states} bytes'
    assert 'share of L2' not in facts


def test_a_budget_that_is_too_small_refuses_the_detector(
    detector: DetectorModel, bare: Machine
) -> None:
    settings = dataclasses.replace(detector.config, memory_budget_mb=1.0)
    with pytest.raises(DeviceError, match=r'^memory_budget_mb: the detector needs .* MB'):
        deploy(detector, settings, bare)
    ample = dataclasses.replace(detector.config, memory_budget_mb=100.0)
    assert deploy(detector, ample, bare).facts()['memory budget'] == '100 MB'


def test_the_queues_of_a_node_count_against_the_budget(
    detector: DetectorModel, bare: Machine
) -> None:
    ample = dataclasses.replace(detector.config, memory_budget_mb=100.0)
    with pytest.raises(DeviceError, match='lower queue'):
        deploy(detector, ample, bare, queue=100_000)


def test_on_a_gpu_the_share_of_its_cache_is_told(detector: DetectorModel, orin: Machine) -> None:
    memory = plan_memory(detector, detector.config, Device.CUDA)
    share = memory.l2_share(orin.gpus[0])
    facts = Deployment(orin, EngineChoice(Device.CUDA, 'asked for'), memory, 0.0).facts()
    assert facts['share of L2'] == f'{share:.1%}'


def test_after_the_gpu_was_given_up_a_hop_reads_what_the_cpu_reads(
    detector: DetectorModel, orin: Machine
) -> None:
    on_gpu, on_cpu = (
        plan_memory(detector, detector.config, device) for device in (Device.CUDA, Device.CPU)
    )
    deployment = Deployment(orin, EngineChoice(Device.CUDA, 'asked for'), on_gpu, 0.0)
    assert deployment.traffic() == on_gpu.traffic
    assert deployment.traffic('DeviceError: it is gone') == on_cpu.traffic != on_gpu.traffic


def test_a_board_is_read_anew_for_each_report(
    detector: DetectorModel, orin: Machine, write_tree: WriteTree
) -> None:
    deployment = deploy(detector, detector.config, orin)
    hot = write_tree({'sys/class/thermal/thermal_zone1/temp': '91000\n'})
    assert deployment.facts(hot)['hottest'] == '91.0 °C'


def test_a_board_that_can_no_longer_be_read_keeps_its_last_readings(
    detector: DetectorModel, orin: Machine, tmp_path: Path
) -> None:
    empty = tmp_path / 'nothing'
    assert deploy(detector, detector.config, orin).facts(empty)['power mode'] == '15W'
