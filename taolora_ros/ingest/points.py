"""Point clouds: the values of one field of all points of a sensor_msgs/PointCloud2."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from taolora_ros.errors import MessageError, nearest
from taolora_ros.ingest.channels import Channel
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import Floats

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
_FORMATS = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}  # PointField


def is_point_field(channel: Channel, type_name: str, registry: TypeRegistry) -> bool:
    """Whether a channel names a field of the points, e.g. `/points:z`, not of the message."""
    if type_name != POINT_CLOUD or len(channel.path) != 1:
        return False
    return channel.path[0].name not in dict(registry.fields(type_name))


def point_values(cloud: Any, name: str) -> Floats:
    """One field of every point, [N], NaN points included.

    Raises:
        MessageError: the points have no such field, or the data is shorter than the points.
    """
    fields = {field.name: field for field in cloud.fields}
    if name not in fields:
        raise MessageError(f'points have no field {name!r}; {nearest(name, fields)}')
    if type(cloud).__module__.startswith('sensor_msgs.'):
        read_points = _ros_reader()
        if read_points is not None:
            return np.asarray(read_points(cloud, field_names=[name])[name], dtype=np.float64)
    field = fields[name]
    rows, columns = cloud.height, cloud.width
    needed = (rows - 1) * cloud.row_step + columns * cloud.point_step if rows and columns else 0
    data = np.frombuffer(bytes(cloud.data), dtype=np.uint8)
    if field.datatype not in _FORMATS or data.size < needed:
        raise MessageError(f'{data.size} bytes of points where {needed} are needed')
    dtype = np.dtype(('>' if cloud.is_bigendian else '<') + _FORMATS[field.datatype])
    values = (
        np.ndarray(
            (rows, columns),
            dtype,
            data.tobytes(),
            field.offset,
            (cloud.row_step, cloud.point_step),
        )
        if needed
        else np.empty((0, 0))
    )
    return values.astype(np.float64).ravel()


def _ros_reader() -> Any:
    try:
        return importlib.import_module('sensor_msgs_py.point_cloud2').read_points
    except ImportError:
        return None
