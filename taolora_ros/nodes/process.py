"""A node as a process: it runs until it is done or told to stop, then leaves in order."""

from __future__ import annotations

import gc
import re
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol, cast

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import ok, try_shutdown

from taolora_ros.errors import ConfigError, TaoloraError

WAKE_S = 0.1  # how long a signal may wait for the executor to wake
_SOURCE = re.compile(r',? at \S+\.\w+:\d+')  # where in rcl's sources an error was met


class Served(Protocol):
    """A node that says when it is done and how it leaves."""

    exit_code: int | None  # None while it has work

    def leave(self) -> None:
        """Finish what is open; the graph is still there."""

    def destroy_node(self) -> None:
        """Give everything back."""


def serve(make: Callable[[], Served], args: list[str] | None = None) -> None:
    """Make a node, spin it, and exit the process.

    SIGINT and SIGTERM end the spinning, not the context, so the node can publish its last words.

    Args:
        make: constructs the node.
        args: command line; that of the process where None.

    Raises:
        SystemExit: always; status 0, the node's own, or 1 after an error, printed in one line.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        _init(args)
        node = make()
        gc.freeze()  # looking through what stays would stop the node for 50 ms now and then
        spin(node, stop)
        node.leave()
        node.destroy_node()
    except TaoloraError as error:
        sys.exit(f'error: {error}')
    finally:
        try_shutdown()
        gc.freeze()  # the interpreter's last look, over all of Numba, would take a quarter second
    sys.exit(node.exit_code or 0)


def _init(args: list[str] | None) -> None:
    """Begin ROS with the command line.

    Raises:
        ConfigError: ROS can't begin, e.g. because an argument, or a file that it names, can't be
            read.
    """
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, ValueError) as error:  # rclpy's own are RuntimeErrors
        reason = ' '.join(_SOURCE.sub('', str(error)).split())
        reason = reason.removeprefix('failed to initialize rcl: ')
        raise ConfigError(f'--ros-args: {reason}') from None


def spin(node: Served, stop: threading.Event) -> None:
    """Serve callbacks until the node is done, or somebody sets `stop`."""
    executor = SingleThreadedExecutor()
    executor.add_node(cast(Node, node))
    while ok() and not stop.is_set() and node.exit_code is None:
        executor.spin_once(timeout_sec=WAKE_S)
    executor.remove_node(cast(Node, node))
