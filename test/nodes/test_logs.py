from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from rcl_interfaces.msg import Log
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import LoggingSeverity, set_logger_level
from rclpy.node import Node
from rclpy.qos import QoSProfile

from taolora_ros.logging import ROOT, logger
from taolora_ros.nodes.logs import bridge_logs


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger(ROOT)
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.level, root.propagate = before[0], before[1], before[2]


def test_the_core_speaks_through_the_node_at_its_own_severities(
    probe: Node, executor: SingleThreadedExecutor, spin_until: object
) -> None:
    heard: list[Log] = []
    probe.create_subscription(Log, '/rosout', heard.append, QoSProfile(depth=100))
    executor.add_node(probe)
    set_logger_level('probe', LoggingSeverity.DEBUG)
    bridge_logs(probe)
    log = logger('taolora_ros.ingest')
    sayings = log.debug, log.info, log.warning, log.error
    spin_until(lambda: probe.count_subscribers('/rosout') > 0)  # type: ignore[operator]
    for _ in range(2):  # rclpy remembers the severity of a call site
        for say in sayings:
            say('type changed', topic='/imu')
    spin_until(lambda: len(heard) >= 8)  # type: ignore[operator]
    assert {message.name for message in heard} == {'probe'}
    assert {message.msg for message in heard} == {'type changed; topic=/imu'}
    assert sorted(message.level for message in heard) == sorted([10, 20, 30, 40] * 2)


def test_the_ros_log_level_decides_what_is_heard(probe: Node) -> None:
    set_logger_level('probe', LoggingSeverity.ERROR)
    bridge_logs(probe)
    assert not logging.getLogger(f'{ROOT}.ingest').isEnabledFor(logging.WARNING)
    assert logging.getLogger(f'{ROOT}.ingest').isEnabledFor(logging.ERROR)
    set_logger_level('probe', LoggingSeverity.UNSET)
