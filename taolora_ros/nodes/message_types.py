"""Message classes by name, as far as they are installed."""

from __future__ import annotations

import importlib
from typing import Any

from rclpy.type_support import check_for_type_support

from taolora_ros.errors import MessageError


def message_class(type_name: str) -> Any:
    """The generated class of a message type such as 'sensor_msgs/msg/Imu'.

    Raises:
        MessageError: its package is not installed, or not usable from Python.
    """
    try:
        package, _, name = type_name.split('/')
        kind = getattr(importlib.import_module(f'{package}.msg'), name)
        check_for_type_support(kind)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise MessageError(
            f'type {type_name!r} is not installed ({error}); source the workspace that has it'
        ) from error
    return kind
