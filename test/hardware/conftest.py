"""A Jetson as a folder of files, with the paths and formats of Jetson Linux 36 on an Orin Nano."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from taolora_ros.config import Config, overlay
from taolora_ros.engine import DetectorModel
from taolora_ros.hardware.cuda import Gpu
from taolora_ros.hardware.jetson import read_jetson
from taolora_ros.hardware.probe import Machine
from taolora_ros.model.correction import BlockWeights, CorrectionWeights
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.quantization.int4 import fit_int4
from taolora_ros.quantization.low_rank import LowRank
from taolora_ros.samples import Recording
from taolora_ros.training.trainer import train

NVPMODEL = """\
# FORMAT: < PARAM TYPE=PARAM_TYPE NAME=PARAM_NAME >
< PARAM TYPE=FILE NAME=EMC >
MAX_FREQ /sys/kernel/nvpmodel_clk_cap/emc

< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
CPU_A78_0 MAX_FREQ 1510400
GPU MAX_FREQ 624750000
EMC MAX_FREQ 2133000000

< POWER_MODEL ID=1 NAME=7W >
CPU_ONLINE CORE_0 1
CPU_A78_0 MAX_FREQ 960000
GPU MAX_FREQ 408000000
EMC MAX_FREQ 2133000000

< POWER_MODEL ID=2 NAME=MAXN_SUPER >
GPU MAX_FREQ -1
EMC MAX_FREQ 0

< PM_CONFIG DEFAULT=0 >
"""
CPUS = 'sys/devices/system/cpu'
GPU = 'sys/class/devfreq/17000000.gpu'
EMC = 'sys/kernel/debug/bpmp/debug/clk/emc'
ORIN_NANO = {
    'proc/device-tree/model': 'NVIDIA Jetson Orin Nano Developer Kit\0',
    'proc/meminfo': 'MemTotal:        7802868 kB\nMemFree:  2048 kB\nMemAvailable: 5120000 kB\n',
    'proc/cpuinfo': 'processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n',
    'var/lib/nvpmodel/status': 'pmode:0000',
    'etc/nvpmodel.conf': NVPMODEL,
    'sys/class/devfreq/15340000.vic/cur_freq': '435200000\n',
    f'{GPU}/cur_freq': '306000000\n',
    f'{GPU}/max_freq': '624750000\n',
    f'{CPUS}/cpu0/cpufreq/scaling_cur_freq': '729600\n',
    f'{CPUS}/cpu0/cpufreq/scaling_max_freq': '1510400\n',
    f'{CPUS}/cpu4/cpufreq/scaling_cur_freq': '1344000\n',
    f'{CPUS}/cpu4/cpufreq/scaling_max_freq': '1510400\n',
    f'{CPUS}/cpuidle/current_driver': 'psci_idle\n',
    f'{EMC}/rate': '2133000000\n',
    f'{EMC}/max_rate': '3199000000\n',
    'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
    'sys/class/thermal/thermal_zone0/temp': '48968\n',
    'sys/class/thermal/thermal_zone1/type': 'gpu-thermal\n',
    'sys/class/thermal/thermal_zone1/temp': '49562\n',
    'sys/class/thermal/thermal_zone2/type': 'cv0-thermal\n',  # off
    'sys/class/thermal/thermal_zone2/temp': '-256000\n',
    'sys/class/thermal/cooling_device0/type': 'pwm-fan\n',
}
ORIN_GPU = Gpu(
    name='Orin',
    capability=(8, 7),
    multiprocessors=8,
    memory_mb=7437,
    is_integrated=True,
    clock_mhz=624.0,
    l2_bytes=2 * 2**20,
    shared_bytes=167_936,
)

WriteTree = Callable[..., Path]


@pytest.fixture
def write_tree(tmp_path: Path) -> WriteTree:
    """Write the files of an Orin Nano below a root, but for some changes; None leaves one out."""

    def write(changes: Mapping[str, str | None] = MappingProxyType({})) -> Path:
        for name, content in {**ORIN_NANO, **changes}.items():
            if content is None:
                continue
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return write


@pytest.fixture
def orin_files() -> list[str]:
    """Names of the files that an Orin Nano has."""
    return list(ORIN_NANO)


@pytest.fixture
def bare() -> Machine:
    """A machine without a GPU."""
    absence = 'no NVIDIA driver (libcuda.so.1 is not found)'
    return Machine('x86_64', 'Xeon', 2, 8000, None, (), absence)


@pytest.fixture
def orin(write_tree: WriteTree) -> Machine:
    """An Orin Nano."""
    return Machine('aarch64', 'ARMv8', 6, 7619, read_jetson(write_tree()), (ORIN_GPU,), '')


@pytest.fixture(scope='session')
def detector() -> DetectorModel:
    """A detector of three channels on two topics, trained on noisy turns, with a correction."""
    settings = overlay(
        Config(),
        {
            'channels': ['/imu:x', '/imu:y', '/motor:effort'],
            'model': {'order': 6, 'width': 32, 'blocks': 2, 'kernel': 3},
            'window': {'length': 64},
            'quantization': {'rank': 2},
            'training': {'epochs': 0},
        },
    )
    rng = np.random.default_rng(3)
    recordings = []
    for name in ('a', 'b'):
        turns = np.sin(np.arange(3000)[:, None] / np.array([7.0, 11.0, 13.0]))
        values = turns + 0.1 * rng.normal(size=(3000, 3))
        stamps = np.arange(3000) * 10_000_000
        recordings.append(Recording(name, stamps, values, np.zeros_like(values)))
    model = train(recordings, settings.channels, settings, progress=lambda stage, share: None)
    network = dataclasses.replace(model.watch.network, correction=_correction())
    return dataclasses.replace(model, watch=dataclasses.replace(model.watch, network=network))


def _layer(inputs: int, outputs: int) -> DualPathWeights:
    return DualPathWeights(
        smooth=np.zeros(inputs, np.int8),
        shares=np.arange(inputs),
        weight=fit_int4(np.ones((inputs, outputs)), group=32),
        steady=np.ones(inputs // 32, np.float16),
        low_rank=LowRank(np.ones((inputs, 2), np.float16), np.ones((2, outputs), np.float16)),
        bias=np.zeros(outputs, np.float16),
    )


def _correction() -> CorrectionWeights:
    """Two blocks of width 32 and 3 taps for 3 inputs and patches of 4 rows."""
    gain = np.ones(32, np.float32)
    block = BlockWeights(np.ones((3, 32), np.float32), gain, _layer(32, 128), _layer(64, 32))
    return CorrectionWeights(_layer(64, 32), (block, block), gain, _layer(32, 12))
