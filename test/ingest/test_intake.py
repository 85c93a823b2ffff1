from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest

from taolora_ros.config import IngestConfig, StampSource
from taolora_ros.errors import ChannelError
from taolora_ros.ingest.intake import Intake
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import Gap, RawMessage, Row

MS = 1_000_000
S = 1000 * MS
START = 1_700_000_000 * S
JOINTS = 'sensor_msgs/msg/JointState'
TEMPERATURE = 'sensor_msgs/msg/Temperature'
CHANNELS = ('/joints:effort[b]', '/heat:temperature', '/joints:effort[a]')


class Bench:
    """An intake with the means to make its messages."""

    def __init__(
        self, registry: TypeRegistry, channels: tuple[str, ...] = CHANNELS, **settings: Any
    ) -> None:
        self.registry = registry
        self.intake = Intake(channels, IngestConfig(**settings), registry)

    def message(
        self, topic: str, type_name: str, stamp_ms: float, *, header: bool = True, **values: Any
    ) -> RawMessage:
        stamp_ns = START + round(stamp_ms * MS)
        if header:
            sec, nanosec = divmod(stamp_ns, S)
            values = {'header': {'stamp': {'sec': sec, 'nanosec': nanosec}}, **values}
        data = self.registry.serialize(self.registry.make(type_name, values), type_name)
        return RawMessage(topic, type_name, data, stamp_ns + MS)

    def joints(self, stamp_ms: float, a: float, b: float, **options: Any) -> list[Row | Gap]:
        values = {'name': ['a', 'b'], 'effort': [a, b]}
        return self.intake.push(self.message('/joints', JOINTS, stamp_ms, **values, **options))

    def heat(self, stamp_ms: float, degrees: float, **options: Any) -> list[Row | Gap]:
        return self.intake.push(
            self.message('/heat', TEMPERATURE, stamp_ms, temperature=degrees, **options)
        )


@pytest.fixture
def bench(registry: TypeRegistry) -> Bench:
    return Bench(registry)


def test_rows_hold_the_channels_in_their_order(bench: Bench) -> None:
    bench.heat(0, 20.0)
    rows = [row for n in range(10) for row in bench.joints(n * 10, a=n, b=-n)]
    rows += bench.intake.flush()
    assert [row.values.tolist() for row in rows if isinstance(row, Row)] == [
        [-n, 20, n] for n in range(10)
    ]
    assert bench.intake.topics == ('/joints', '/heat')
    assert (bench.intake.counts.received, bench.intake.counts.rows) == (11, 10)


def test_messages_of_other_topics_are_none_of_its_business(bench: Bench) -> None:
    other = bench.message('/other', TEMPERATURE, 0)
    assert bench.intake.push(other) == []
    assert bench.intake.counts.received == 0


def test_unreadable_bytes_are_counted_and_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            broken = RawMessage('/joints', JOINTS, b'\0\1\0\0\xff\xff', START)
            assert bench.intake.push(broken) == []
    assert bench.intake.counts.unreadable == 5
    assert len(caplog.records) == 1
    assert '/joints' in caplog.text


def test_a_type_change_to_one_without_the_field_is_skipped_counted_and_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.heat(0, 20.0)
    with caplog.at_level(logging.WARNING):
        for n in range(5):
            bench.joints(n * 10, a=1.0, b=1.0)
        for n in range(5, 10):
            bench.intake.push(bench.message('/joints', TEMPERATURE, n * 10, temperature=9.0))
        for n in range(10, 15):
            bench.joints(n * 10, a=2.0, b=2.0)
    counts = bench.intake.counts
    assert (counts.type_changes, counts.unreadable) == (2, 5)
    assert f'type changed from {JOINTS} to {TEMPERATURE}' in caplog.text
    assert all('\n' not in record.message for record in caplog.records)


def test_a_type_change_to_one_with_the_field_goes_on(registry: TypeRegistry) -> None:
    bench = Bench(registry, channels=('/x:data',))
    for n in range(10):
        type_name = 'std_msgs/msg/Float64' if n < 5 else 'std_msgs/msg/Int32'
        bench.intake.push(bench.message('/x', type_name, n * 10, header=False, data=n))
    assert bench.intake.counts.type_changes == 1
    assert bench.intake.counts.unreadable == 0
    rows = [row for row in bench.intake.flush() if isinstance(row, Row)]
    assert rows[-1].values.tolist() == [9.0]


def test_a_field_that_the_live_type_lacks_is_a_problem_of_its_channels(
    registry: TypeRegistry,
) -> None:
    bench = Bench(registry, channels=('/heat:temprature',))
    bench.heat(0, 20.0)
    (status,) = bench.intake.channel_status(START)
    assert "did you mean 'temperature'" in status.problem
    assert bench.intake.counts.unreadable == 1


def test_nan_and_infinities_are_counted_and_held(bench: Bench) -> None:
    bench.heat(0, 20.0)
    rows = []
    for n in range(20):
        bad = math.nan if n % 4 == 1 else math.inf if n % 4 == 2 else 1.0 * n
        rows += bench.joints(n * 10, a=bad, b=1.0)
    rows += bench.intake.flush()
    values = np.array([row.values for row in rows if isinstance(row, Row)])
    assert np.isfinite(values).all()
    assert values[5:8, 2].tolist() == [4.0, 4.0, 7.0]
    status = {status.channel: status for status in bench.intake.channel_status(START)}
    assert bench.intake.counts.non_finite == 10
    assert status['/joints:effort[a]'].non_finite_share == 0.5
    assert status['/joints:effort[b]'].non_finite_share == 0.0


def test_zero_stamps_are_dated_by_receipt_and_reported(bench: Bench) -> None:
    bench.heat(0, 20.0)
    for n in range(20):
        message = bench.message(
            '/joints', JOINTS, n * 10, header=False, name=['a', 'b'], effort=[1, 2]
        )
        bench.intake.push(message)
    joints = bench.intake.channel_status(START + 200 * MS)[0]
    assert joints.stamp_source is StampSource.RECEIPT
    assert joints.stamp_reason == 'header stamps are 0'
    assert bench.intake.counts.zero_stamps == 20
    assert bench.intake.counts.rows >= 14  # the rest wait for /heat


def test_status_tells_rate_age_and_staleness(bench: Bench) -> None:
    for n in range(100):
        bench.joints(n * 10, a=1.0, b=1.0)
    joints, heat, _ = bench.intake.channel_status(START + 991 * MS + 6 * S)
    assert joints.rate_hz == pytest.approx(100.0)
    assert (joints.age_s, joints.is_stale) == (6.0, True)
    assert (heat.age_s, heat.is_stale, heat.rate_hz) == (math.inf, True, 0.0)
    assert not bench.intake.channel_status(START + 991 * MS)[0].is_stale


def test_a_channel_that_never_speaks_is_reported_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for n in range(2000):
            assert bench.joints(n * 10, a=1.0, b=1.0) == []
    assert bench.intake.silent == ('/heat:temperature',)
    (record,) = caplog.records
    assert record.message == 'no rows yet: waiting for a first value of /heat:temperature'


def test_a_reset_intake_starts_over(bench: Bench) -> None:
    bench.heat(0, 20.0)
    bench.joints(0, a=1.0, b=1.0)
    bench.intake.reset()
    assert bench.intake.counts.received == 0
    assert bench.intake.silent == CHANNELS
    assert bench.intake.flush() == []


@pytest.mark.parametrize(
    ('channels', 'says'),
    [
        ((), 'no channels'),
        (('/a:b[*]',), 'has to be expanded'),
        (('/a:b', '/a:b'), 'listed twice'),
        (('/a',), 'names no field'),
    ],
)
def test_channels_that_make_no_row_are_refused(
    registry: TypeRegistry, channels: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ChannelError, match=says):
        Intake(channels, IngestConfig(), registry)
