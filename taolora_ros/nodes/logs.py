"""The core's log records, handed to a node's ROS logger."""

from __future__ import annotations

import logging

from rclpy.node import Node

from taolora_ros.logging import TextFormatter, attach


class RosHandler(logging.Handler):
    """Sends records to /rosout and the console under the node's name."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._logger = node.get_logger()
        self.setFormatter(TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Log at the severity of the record."""
        text = self.format(record)
        # One call a severity: rclpy refuses a call site that changes its severity.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def bridge_logs(node: Node) -> None:
    """Let a node speak for the whole package; the ROS log level decides what is heard."""
    attach(RosHandler(node), level=node.get_logger().get_effective_level())
