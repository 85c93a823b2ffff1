from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taolora_ros.errors import MessageError
from taolora_ros.ingest.channels import parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.points import POINT_CLOUD, point_values
from taolora_ros.ingest.types import TypeRegistry

ROWS, COLUMNS, STEP, PADDING = 3, 5, 16, 4


def cloud_values(*, is_bigendian: bool) -> tuple[dict[str, Any], np.ndarray]:
    """A cloud with x and z as float32, a uint16 between them, and bytes left over in each row."""
    order = '>' if is_bigendian else '<'
    point = np.dtype(
        {
            'names': ['x', 'ring', 'z'],
            'formats': [f'{order}f4', f'{order}u2', f'{order}f4'],
            'offsets': [0, 4, 8],
            'itemsize': STEP,
        }
    )
    points = np.zeros((ROWS, COLUMNS), point)
    points['x'] = np.arange(15).reshape(ROWS, COLUMNS)
    points['ring'] = 7
    points['z'] = -points['x']
    points['z'][1, 2] = np.nan
    padded = b''.join(row.tobytes() + b'\xff' * PADDING for row in points)
    kinds = (('x', 0, 7), ('ring', 4, 4), ('z', 8, 7))
    values = {
        'header': {'stamp': {'sec': 9, 'nanosec': 0}},
        'height': ROWS,
        'width': COLUMNS,
        'fields': [{'name': n, 'offset': o, 'datatype': d, 'count': 1} for n, o, d in kinds],
        'is_bigendian': is_bigendian,
        'point_step': STEP,
        'row_step': STEP * COLUMNS + PADDING,
        'data': np.frombuffer(padded, np.uint8),
    }
    return values, points


@pytest.mark.parametrize('is_bigendian', [False, True])
def test_fields_of_points_are_reduced_without_their_nans(
    registry: TypeRegistry, is_bigendian: bool
) -> None:
    values, points = cloud_values(is_bigendian=is_bigendian)
    specs = ['/p:x|max', '/p:z|mean', '/p:ring|sum', '/p:z|length', '/p:width']
    reader = FieldReader(POINT_CLOUD, [parse_channel(spec) for spec in specs], registry)
    data = registry.serialize(registry.make(POINT_CLOUD, values), POINT_CLOUD)
    stamp, numbers = reader.read(data)
    mean = np.nanmean(points['z'].astype(np.float64))
    assert stamp == 9_000_000_000
    assert numbers == pytest.approx((14.0, mean, 7.0 * 15, 15.0, 5.0))


def test_an_empty_cloud_reads_as_nan(registry: TypeRegistry) -> None:
    values, _ = cloud_values(is_bigendian=False)
    cloud = registry.make(POINT_CLOUD, {**values, 'height': 0, 'width': 0, 'data': []})
    reader = FieldReader(POINT_CLOUD, [parse_channel('/p:z|mean')], registry)
    assert np.isnan(reader.read(registry.serialize(cloud, POINT_CLOUD))[1][0])


@pytest.mark.parametrize(
    'broken',
    [
        {'data': [0] * 30},
        {'point_step': 4},
        {'row_step': 2**31},
        {'row_step': 0, 'height': 2**32 - 1},
        {'width': 2**32 - 1},
        {'point_step': 0, 'row_step': 0},
    ],
)
def test_points_that_do_not_fit_their_data_are_a_message_error(
    registry: TypeRegistry, broken: dict[str, Any]
) -> None:
    values, _ = cloud_values(is_bigendian=False)
    with pytest.raises(MessageError, match='points'):
        point_values(registry.make(POINT_CLOUD, {**values, **broken}), 'z')


def test_an_unknown_field_of_points_names_the_nearest(registry: TypeRegistry) -> None:
    values, _ = cloud_values(is_bigendian=False)
    with pytest.raises(MessageError, match="'rin'; did you mean 'ring'"):
        point_values(registry.make(POINT_CLOUD, values), 'rin')


def test_a_cloud_of_many_fields_is_refused_in_a_short_line(registry: TypeRegistry) -> None:
    values, _ = cloud_values(is_bigendian=False)
    fields = [{'name': f'{n}{"x" * 200}', 'offset': 0, 'datatype': 7} for n in range(3000)]
    with pytest.raises(MessageError, match="no field 'z'") as refused:
        point_values(registry.make(POINT_CLOUD, {**values, 'fields': fields}), 'z')
    assert len(str(refused.value)) < 2000


def test_ros_own_reader_agrees(registry: TypeRegistry) -> None:
    pytest.importorskip('sensor_msgs_py', reason='sensor_msgs_py is not on PyPI')
    from sensor_msgs.msg import PointCloud2, PointField

    values, _ = cloud_values(is_bigendian=False)
    tight = {**values, 'height': 1, 'width': COLUMNS, 'row_step': STEP * COLUMNS}
    tight['data'] = values['data'][: STEP * COLUMNS]
    plain = registry.make(POINT_CLOUD, tight)
    cloud = PointCloud2(
        height=1,
        width=COLUMNS,
        fields=[PointField(**field) for field in values['fields']],
        is_bigendian=False,
        point_step=STEP,
        row_step=STEP * COLUMNS,
        data=tight['data'].tobytes(),
    )
    assert np.array_equal(point_values(cloud, 'x'), point_values(plain, 'x'))
