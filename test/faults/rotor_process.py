"""A rotor in a process of its own, in real time: python rotor_process.py RATE_HZ [TOPIC]."""

from __future__ import annotations

import sys
import time

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu, JointState


def main() -> None:
    """Publish until killed."""
    rate_hz = float(sys.argv[1])
    rclpy.init(args=[])
    node = rclpy.create_node('rotor')
    qos = QoSProfile(depth=2000, reliability=ReliabilityPolicy.RELIABLE)
    imus = node.create_publisher(Imu, '/rotor/imu', qos)
    joints = node.create_publisher(JointState, '/rotor/joints', qos)
    generator = np.random.default_rng(3)
    start = time.monotonic()
    step = 0
    while True:
        stamp = node.get_clock().now().to_msg()
        angle = 2 * np.pi * step / rate_hz
        imu = Imu()
        imu.header.stamp = stamp
        imu.linear_acceleration.x = float(np.sin(5 * angle) + 0.1 * generator.normal())
        imu.linear_acceleration.y = float(np.cos(8 * angle) + 0.1 * generator.normal())
        imus.publish(imu)
        effort = JointState(name=['shaft'], effort=[1.0 + 0.05 * generator.normal()])
        effort.header.stamp = stamp
        joints.publish(effort)
        step += 1
        time.sleep(max(0.0, start + step / rate_hz - time.monotonic()))


if __name__ == '__main__':
    main()
