"""A load for `taolora bench ingest`: numbered Imu messages at a steady rate, already serialized.

Run it as `python -m taolora_ros.nodes.load /imu0 5000 25000 10000`; it waits for a subscriber
and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time

import rclpy
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu

from taolora_ros.samples import NS_PER_S

NUMBER = struct.Struct('<d')  # the last element of the last covariance, which ends the message
STAMP = struct.Struct('<Ii')  # after the four bytes that tell the encoding
_TICK_S = 0.001
_PATIENCE_S = 60.0
_SETTLE_S = 0.5  # until the other side knows of the match too


def main() -> None:
    """Publish, and say how many messages were sent in how long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('topic')
    parser.add_argument('rate_hz', type=float)
    parser.add_argument('messages', type=int)
    parser.add_argument('queue', type=int, help='messages that a subscriber may be behind')
    options = parser.parse_args()
    rclpy.init(args=[])
    node = rclpy.create_node(f'load_{options.topic.strip("/")}')
    qos = QoSProfile(depth=options.queue, reliability=ReliabilityPolicy.RELIABLE)
    publisher = node.create_publisher(Imu, options.topic, qos)
    deadline = time.monotonic() + _PATIENCE_S
    while not publisher.get_subscription_count():
        if time.monotonic() > deadline:
            sys.exit(f'error: nobody subscribed to {options.topic} within {_PATIENCE_S:g} s')
        time.sleep(_TICK_S)
    time.sleep(_SETTLE_S)
    took_s = publish(publisher, options.rate_hz, options.messages)
    publisher.wait_for_all_acked(Duration(seconds=_PATIENCE_S))
    print(json.dumps({'sent': options.messages, 'seconds': took_s}), flush=True)
    rclpy.shutdown()


def publish(publisher: Publisher, rate_hz: float, messages: int) -> float:
    """Publish so many messages, numbered from 0, and say how long that took, in s."""
    data = bytearray(serialize_message(Imu()))
    assert data[1] == 1, 'little-endian'
    start = time.monotonic()
    sent = 0
    while sent < messages:
        due = min(messages, int((time.monotonic() - start) * rate_hz) + 1)
        for number in range(sent, due):
            STAMP.pack_into(data, 4, *divmod(time.time_ns(), NS_PER_S))
            NUMBER.pack_into(data, len(data) - NUMBER.size, number)
            publisher.publish(bytes(data))
        sent = due
        time.sleep(max(0.0, start + sent / rate_hz - time.monotonic()))
    return time.monotonic() - start


if __name__ == '__main__':
    main()
