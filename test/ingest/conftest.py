"""Message types as a machine without ROS has them."""

from __future__ import annotations

import pytest

from taolora_ros.ingest.types import TypeRegistry


@pytest.fixture(scope='session')
def registry() -> TypeRegistry:
    return TypeRegistry(prefixes=())
