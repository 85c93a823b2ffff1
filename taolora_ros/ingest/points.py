"""Point clouds: the values of one field of all points of a sensor_msgs/PointCloud2."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from taolora_ros.errors import MessageError, nearest_told
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

    Messages of an installed sensor_msgs go through sensor_msgs_py where that is installed, too;
    those read from bytes are viewed by NumPy.

    Raises:
        MessageError: the points have no such field, or don't fit into the data.
    """
    fields = {field.name: field for field in cloud.fields}
    if name not in fields:
        raise MessageError(f'points have no field {name!r}; {nearest_told(name, list(fields))}')
    if type(cloud).__module__.startswith('sensor_msgs.'):
        read_points = _ros_reader()
        if read_points is not None:
            return np.asarray(read_points(cloud, field_names=[name])[name], dtype=np.float64)
    field = fields[name]
    if field.datatype not in _FORMATS:
        raise MessageError(f'points: field {name!r} has the unknown datatype {field.datatype}')
    dtype = np.dtype(('>' if cloud.is_bigendian else '<') + _FORMATS[field.datatype])
    if not cloud.height or not cloud.width:
        return np.empty(0)
    data = np.frombuffer(cloud.data, dtype=np.uint8)
    row_bytes = cloud.width * cloud.point_step
    if cloud.height > 1 and cloud.row_step < row_bytes:  # a few bytes would stand for many points
        raise MessageError(f'points: rows of {row_bytes} bytes overlap at {cloud.row_step} apart')
    needed = (cloud.height - 1) * cloud.row_step + row_bytes
    if needed > data.size or field.offset + dtype.itemsize > cloud.point_step:
        raise MessageError(f'points of {needed} bytes do not fit into {data.size} bytes of data')
    strides = (cloud.row_step, cloud.point_step)
    view: np.ndarray[Any, Any] = np.ndarray(
        (cloud.height, cloud.width), dtype, data, field.offset, strides
    )
    with np.errstate(invalid='ignore'):  # signaling NaNs
        return view.astype(np.float64).ravel()


def _ros_reader() -> Any:
    try:
        return importlib.import_module('sensor_msgs_py.point_cloud2').read_points
    except ImportError:
        return None
