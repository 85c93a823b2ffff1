from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from taolora_ros.hardware.probe import Machine, probe, usable_cores

WriteTree = Callable[..., Path]


def test_this_machine_has_cores_memory_and_a_name() -> None:
    machine = probe()
    assert machine.architecture == os.uname().machine
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.memory_mb is not None
    assert machine.memory_mb > 0


def test_either_gpus_are_listed_or_their_absence_is_explained() -> None:
    machine = probe()
    assert bool(machine.gpus) != bool(machine.gpu_absence)


def test_cores_are_those_that_the_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_jetson_is_known_by_its_device_tree(write_tree: WriteTree) -> None:
    machine = probe(write_tree())
    assert machine.jetson is not None
    assert machine.jetson.model == 'NVIDIA Jetson Orin Nano Developer Kit'
    assert machine.processor == 'ARMv8 Processor rev 1 (v8l)'
    assert machine.memory_mb == 7619  # whole MiB


def test_a_system_that_tells_nothing_is_probed_all_the_same(tmp_path: Path) -> None:
    machine = probe(tmp_path)
    assert (machine.memory_mb, machine.jetson, machine.processor) == (None, None, 'unknown')
    assert machine.facts()['memory'] == 'unknown'


def test_facts_tell_processor_gpu_and_board(orin: Machine, bare: Machine) -> None:
    facts = orin.facts()
    assert facts['GPU'] == 'Orin (compute capability 8.7, 7437 MiB)'
    assert facts['memory'] == '7619 MiB'
    assert facts['GPU L2 cache'] == '2097152 bytes'
    assert facts['power mode'] == '15W'
    assert bare.facts()['GPU'] == 'none: no NVIDIA driver (libcuda.so.1 is not found)'
    assert 'power mode' not in bare.facts()
