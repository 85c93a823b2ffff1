"""The detector as a process that is killed, told to stop, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

DETECTOR = 'taolora_ros.nodes.detector'


@pytest.fixture
def respawned(rig: Any, model_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A detector that is started again whenever it dies, as `respawn:=true` does."""
    lives: list[subprocess.Popen[bytes]] = []
    is_over = threading.Event()
    parameters = {'model': model_path, 'use_sim_time': True, 'status_s': 0.1}
    command = [sys.executable, '-m', DETECTOR, '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={str(value).lower() if isinstance(value, bool) else value}']

    def keep_alive() -> None:
        while not is_over.is_set():
            lives.append(subprocess.Popen(command, env=os.environ))
            lives[-1].wait()

    keeper = threading.Thread(target=keep_alive, daemon=True)
    keeper.start()
    rig.spin_until(lambda: len(lives) >= 1)
    yield lives
    is_over.set()
    while keeper.is_alive():
        with contextlib.suppress(ProcessLookupError):
            lives[-1].kill()
        keeper.join(0.1)


def test_a_detector_that_is_killed_watches_again_and_says_so(rig: Any, respawned: Any) -> None:
    publishers = list(rig.publishers.values())
    rig.settle = rig.pause  # the detector is not in this process

    def is_heard() -> bool:
        return all(publisher.get_subscription_count() for publisher in publishers)

    rig.spin_until(is_heard)
    rig.play(3.0)
    rig.await_report('detector', 'w')
    respawned[0].send_signal(signal.SIGKILL)
    rig.spin_until(lambda: len(respawned) >= 2)
    rig.arrays.clear()
    rig.spin_until(lambda: rig.told('detector')[0] == DiagnosticStatus.ERROR)
    rig.spin_until(lambda: bool(rig.told('input')[1]) and is_heard())

    def watches_again() -> bool:
        rig.play(0.5)
        return rig.told('detector') == (DiagnosticStatus.OK, 'watching')

    rig.spin_until(watches_again)


def test_cycles_of_the_lifecycle_leave_nothing_behind(rig: Any, model_path: Path) -> None:
    """As many as time allows; `make soak` runs a thousand."""
    rig.detect({'model': model_path})
    detector = rig.detector

    def entities() -> tuple[int, int, int, int]:
        return (
            len(list(detector.subscriptions)),
            len(list(detector.timers)),
            len(list(detector.publishers)),
            threading.active_count(),
        )

    def cycle() -> None:
        for transition in (
            detector.trigger_deactivate,
            detector.trigger_cleanup,
            detector.trigger_configure,
            detector.trigger_activate,
        ):
            assert transition().name == 'SUCCESS'
            rig.executor.spin_once(timeout_sec=0.0)

    cycle()
    before = entities()
    descriptors = len(list(Path('/proc/self/fd').iterdir()))
    for _ in range(20):
        cycle()
    assert entities() == before
    assert len(list(Path('/proc/self/fd').iterdir())) <= descriptors + 2
    rig.spin_until(lambda: all(p.get_subscription_count() == 1 for p in rig.publishers.values()))


def test_transitions_are_served_to_others_while_it_watches(watching: Any) -> None:
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert watching.call(ChangeState, 'change_state', request).success
    watching.await_report('detector', 'not active')
    assert watching.told('detector')[0] == DiagnosticStatus.ERROR
