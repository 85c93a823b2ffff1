"""The machines of `taolora bench pipeline`, in real time, struck again and again in turn.

Run it as `python -m taolora_ros.nodes.blows 3 334 800`; it waits until each machine is watched,
and prints a line of JSON before the first blow and another after the last.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, JointState

from taolora_ros.evaluation.speed.struck_machine import (
    IMU_FIELDS,
    IMU_TOPIC,
    JOINT_FIELDS,
    JOINT_TOPIC,
    JOINTS,
    PERIOD_NS,
    SPACING_ROWS,
    BlowSchedule,
    StruckMachine,
    namespace,
)
from taolora_ros.nodes.conversions import time_message
from taolora_ros.samples import NS_PER_S, Floats

_QUEUE = 100
_PATIENCE_S = 120.0
_POLL_S = 0.05


class PublishedMachine:
    """One machine: its topics, its rows, and when its blows were published."""

    def __init__(self, node: Node, number: int, schedule: BlowSchedule, rows: int) -> None:
        """Offer its topics.

        Args:
            node: owns the publishers.
            number: of the machine, which tells its namespace.
            schedule: when it is struck.
            rows: how many it publishes.
        """
        rng = np.random.default_rng(number)
        machine = StruckMachine()
        self._rows = machine.rows(rng, 1_000_000 * (number + 1), rows)
        for row in schedule.blows:
            self._rows[row] = machine.struck(self._rows[row])
        self._is_blow = frozenset(schedule.blows)
        self._imus = node.create_publisher(Imu, f'{namespace(number)}{IMU_TOPIC}', _QUEUE)
        self._joints = node.create_publisher(
            JointState, f'{namespace(number)}{JOINT_TOPIC}', _QUEUE
        )
        self.blows: list[dict[str, int]] = []
        self.late_ns: list[int] = []

    @property
    def is_watched(self) -> bool:
        """Whether somebody subscribes to both topics."""
        publishers = (self._imus, self._joints)
        return all(publisher.get_subscription_count() for publisher in publishers)

    def publish(self, row: int, stamp_ns: int) -> None:
        """Publish a row when it is due, dated as planned, and note when it was."""
        values = self._rows[row]
        imu = _imu(values[: len(IMU_FIELDS)])
        joints = _joint_state(values[len(IMU_FIELDS) :])
        imu.header.stamp = joints.header.stamp = time_message(stamp_ns)
        ready = serialize_message(imu), serialize_message(joints)  # so that none is late by that
        time.sleep(max(0, stamp_ns - time.time_ns()) / NS_PER_S)
        now_ns = time.time_ns()
        for publisher, data in zip((self._imus, self._joints), ready, strict=True):
            publisher.publish(data)
        self.late_ns.append(now_ns - stamp_ns)
        if row in self._is_blow:
            self.blows.append({'stamp_ns': stamp_ns, 'published_ns': now_ns})


def _imu(values: Floats) -> Imu:
    message = Imu()
    for field, value in zip(IMU_FIELDS, values.tolist(), strict=True):
        vector, _, axis = field.partition('.')
        setattr(getattr(message, vector), axis, value)
    return message


def _joint_state(values: Floats) -> JointState:
    fields = values.reshape(len(JOINT_FIELDS), len(JOINTS)).tolist()
    return JointState(name=list(JOINTS), **dict(zip(JOINT_FIELDS, fields, strict=True)))


def play(machines: Sequence[PublishedMachine], first_blow: int, rows: int) -> None:
    """Publish all rows of all machines, whose rows are spread over the period."""
    start_ns = (time.time_ns() // NS_PER_S + 1) * NS_PER_S
    for row in range(rows):
        if row == first_blow:
            print(json.dumps({'begins': row}), flush=True)
        for number, machine in enumerate(machines):
            phase_ns = PERIOD_NS * (2 * number + 1) // (2 * len(machines))
            machine.publish(row, start_ns + row * PERIOD_NS + phase_ns)


def main() -> None:
    """Play the machines as a process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('machines', type=int)
    parser.add_argument('blows', type=int, help='on each machine')
    parser.add_argument('lead_rows', type=int, help='before the first blow')
    options = parser.parse_args()
    rclpy.init(args=[])
    node = rclpy.create_node('blows')
    apart = SPACING_ROWS // options.machines  # events of one don't delay those of another
    schedules = [
        BlowSchedule(options.blows, options.lead_rows + number * apart)
        for number in range(options.machines)
    ]
    rows = schedules[-1].rows
    machines = [
        PublishedMachine(node, number, schedule, rows) for number, schedule in enumerate(schedules)
    ]
    deadline = time.monotonic() + _PATIENCE_S
    while not all(machine.is_watched for machine in machines):
        if time.monotonic() > deadline:
            sys.exit(f'error: a machine was not watched within {_PATIENCE_S:g} s')
        time.sleep(_POLL_S)
    gc.freeze()  # as `process.serve` does
    play(machines, schedules[0].blows[0], rows)
    late_ms = np.concatenate([machine.late_ns for machine in machines]) / 1e6
    found = {
        'machines': [machine.blows for machine in machines],
        'late_p99_ms': float(np.quantile(late_ms, 0.99)),
    }
    print(json.dumps(found), flush=True)
    rclpy.shutdown()


if __name__ == '__main__':
    main()
