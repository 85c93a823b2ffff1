from __future__ import annotations

import dataclasses

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from taolora_ros.config import StampSource
from taolora_ros.hardware.plan import Traffic
from taolora_ros.ingest.intake import ChannelStatus, IntakeCounts
from taolora_ros.monitoring import Latency
from taolora_ros.nodes import health
from taolora_ros.nodes.snapshots import SnapshotCounts
from taolora_ros.nodes.status import Agreement, Status
from taolora_ros.routing.router import RouterLimits
from taolora_ros.samples import Phase, Routing

QUIET = health.Source(waiting=(), lost=0, undated=0)
FINE = ChannelStatus('/imu:x', 100.0, 0.01, False, 0.0, StampSource.HEADER, 'header clock is sane')
STALE = dataclasses.replace(FINE, channel='/odom:y', age_s=9.0, is_stale=True)
WELL = Status(
    phase=Phase.WATCHING,
    last_ns=1,
    hop_s=0.04,
    hops=30,
    steady_tokens=30,
    transient_tokens=0,
    routing=Routing(False, 1.0, 0.0, 0.0),
    limits=RouterLimits(6.0, 3.0, 0.1),
    latency=Latency(25, 0.001, 0.002, 0.003, 0.004),
    latency_in_all=Latency(30, 0.001, 0.002, 0.005, 0.006),
    traffic=Traffic(steady_bytes=1000, transient_bytes=1100),
    counts=IntakeCounts(received=500, rows=120),
    channels=(FINE,),
    unheard=(),
    is_in_event=False,
    facts={'engine': 'cpu', 'why': 'device: cpu is asked for', 'power mode': '15W'},
)


def _status(**changes: object) -> Status:
    return dataclasses.replace(WELL, **changes)  # type: ignore[arg-type]


def test_every_task_is_an_error_until_the_detector_runs() -> None:
    tasks = health.idle('not configured')
    running = set(health.running(WELL, QUIET))
    assert running - set(tasks) == {'channel /imu:x'}  # known once there is an artifact
    assert set(tasks) <= running
    assert {(task.level, task.message) for task in tasks.values()} == {
        (DiagnosticStatus.ERROR, 'not configured')
    }


def test_a_detector_that_watches_all_its_channels_is_well() -> None:
    tasks = health.running(WELL, QUIET)
    assert {task.level for task in tasks.values()} == {DiagnosticStatus.OK}


@pytest.mark.parametrize(
    ('changes', 'level', 'message'),
    [
        ({'counts': IntakeCounts()}, DiagnosticStatus.ERROR, 'no message received yet'),
        ({'hops': 0}, DiagnosticStatus.ERROR, 'no complete row of channels yet'),
        ({'phase': Phase.WARMING}, DiagnosticStatus.WARN, 'warming up'),
        ({'is_in_event': True}, DiagnosticStatus.OK, 'watching'),
    ],
)
def test_the_detector_is_not_well_before_it_watches(
    changes: dict[str, object], level: bytes, message: str
) -> None:
    task = health.detector_health(_status(**changes))
    assert (task.level, task.message) == (level, message)


def test_a_topic_that_nobody_publishes_is_an_error_that_names_it() -> None:
    task = health.input_health(WELL, health.Source(('/imu', '/odom'), 0, 0))
    assert (task.level, task.message) == (DiagnosticStatus.ERROR, 'no publisher of /imu')
    assert task.values['waiting_for'] == '/imu, /odom'


def test_a_channel_that_cannot_be_read_is_an_error_that_says_why() -> None:
    broken = dataclasses.replace(FINE, problem="no field 'z' in sensor_msgs/msg/Imu")
    task = health.input_health(_status(channels=(FINE, broken)), QUIET)
    assert (task.level, task.message) == (DiagnosticStatus.ERROR, broken.problem)


def test_a_channel_never_heard_is_an_error() -> None:
    task = health.input_health(_status(channels=(FINE, STALE), unheard=('/odom:y',)), QUIET)
    assert (task.level, task.message) == (
        DiagnosticStatus.ERROR,
        '1 of 2 channels never heard',
    )


def test_one_silent_channel_is_a_warning_and_all_are_stale() -> None:
    some = health.input_health(_status(channels=(FINE, STALE)), QUIET)
    every = health.input_health(_status(channels=(STALE,)), QUIET)
    assert (some.level, some.message) == (DiagnosticStatus.WARN, '1 of 2 channels are silent')
    assert (every.level, every.message) == (DiagnosticStatus.STALE, 'all channels are silent')


def test_the_choice_of_stamps_is_reported_for_each_topic() -> None:
    zero = dataclasses.replace(
        FINE,
        channel='/battery:voltage',
        stamp_source=StampSource.RECEIPT,
        stamp_reason='header stamps are 0',
    )
    values = health.input_health(_status(channels=(FINE, zero)), QUIET).values
    assert values['stamps of /imu'] == 'header: header clock is sane'
    assert values['stamps of /battery'] == 'receipt: header stamps are 0'


def test_everything_lost_is_counted() -> None:
    values = health.input_health(WELL, health.Source((), lost=4, undated=2)).values
    assert (values['lost'], values['before_clock'], values['received']) == (4, 2, 500)


def test_a_fault_of_a_publisher_is_an_error_that_names_the_topic() -> None:
    source = health.Source((), 0, 0, faults=('/imu has 2 publishers, which is refused',))
    task = health.input_health(WELL, source)
    assert (task.level, task.message) == (DiagnosticStatus.ERROR, source.faults[0])


@pytest.mark.parametrize(
    ('changes', 'level', 'message'),
    [
        ({'unheard': ('/odom:y',)}, DiagnosticStatus.ERROR, 'never heard'),
        ({}, DiagnosticStatus.STALE, 'silent for 9.0 s'),
    ],
)
def test_each_silent_channel_says_so_itself(
    changes: dict[str, object], level: bytes, message: str
) -> None:
    tasks = health.channels_health(_status(channels=(FINE, STALE), still_s=(0.0, 0.0), **changes))
    assert tasks['channel /imu:x'].level == DiagnosticStatus.OK
    assert (tasks['channel /odom:y'].level, tasks['channel /odom:y'].message) == (level, message)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'broken': ('/imu:x',)}, 'values that are not finite'),
        ({'stuck': ('/imu:x',)}, 'the same value for 31.0 s'),
    ],
)
def test_values_that_are_not_finite_or_stuck_are_a_warning(
    changes: dict[str, object], message: str
) -> None:
    status = _status(still_s=(31.0,), **changes)
    task = health.channels_health(status)['channel /imu:x']
    assert (task.level, task.message) == (DiagnosticStatus.WARN, message)
    assert task.values['rate Hz'] == '100.00'
    assert health.input_health(status, QUIET).level == DiagnosticStatus.WARN
    assert '/imu:x' in health.input_health(status, QUIET).message


def test_messages_that_are_being_lost_are_a_warning() -> None:
    task = health.input_health(WELL, health.Source((), 9, 0, recent_losses=4))
    assert (task.level, task.message) == (
        DiagnosticStatus.WARN,
        '4 messages were lost, too large or unreadable',
    )


def test_rows_that_were_not_scored_are_a_warning_while_they_come() -> None:
    slow = health.speed_health(_status(dropped_rows=40, recent_drops=8))
    assert (slow.level, slow.message) == (
        DiagnosticStatus.WARN,
        'too slow: 8 rows were not scored',
    )
    assert health.speed_health(_status(dropped_rows=40)).level == DiagnosticStatus.OK
    assert slow.values['rows dropped'] == 40


def test_scoring_that_is_off_is_a_warning() -> None:
    task = health.detector_health(_status(is_enabled=False))
    assert (task.level, task.message) == (
        DiagnosticStatus.WARN,
        'scoring is off; turn it on with ~/enable',
    )


@pytest.mark.parametrize(
    ('counts', 'level', 'message'),
    [
        (None, DiagnosticStatus.OK, 'off: snapshots.directory is not set'),
        (SnapshotCounts(written=2), DiagnosticStatus.OK, '2 written'),
        (
            SnapshotCounts(failed=1, problem='No space left on device'),
            DiagnosticStatus.ERROR,
            'not written: No space left on device',
        ),
    ],
)
def test_snapshots_that_are_not_written_are_an_error(
    counts: SnapshotCounts | None, level: bytes, message: str
) -> None:
    task = health.snapshot_health(health.Source((), 0, 0, snapshots=counts))
    assert (task.level, task.message) == (level, message)


@pytest.mark.parametrize(
    ('latency', 'level'),
    [
        (Latency(25, 0.001, 0.039, 0.1, 0.2), DiagnosticStatus.OK),
        (Latency(25, 0.001, 0.041, 0.1, 0.2), DiagnosticStatus.WARN),
        (Latency(0, 0.0, 0.0, 0.0, 0.0), DiagnosticStatus.STALE),
    ],
)
def test_hops_that_take_longer_than_they_last_are_a_warning(
    latency: Latency, level: bytes
) -> None:
    assert health.speed_health(_status(latency=latency)).level == level


def test_rare_slow_hops_and_the_bytes_that_hops_read_are_reported() -> None:
    values = health.speed_health(_status(steady_tokens=20, transient_tokens=10)).values
    assert values['hop p99.9 ms since activation'] == '5.000'
    assert values['hop max ms since activation'] == '6.000'
    assert values['bytes moved'] == 20 * 1000 + 10 * 1100


def test_the_engine_is_named_with_its_reason_and_the_board() -> None:
    task = health.device_health(WELL)
    assert (task.level, task.message) == (DiagnosticStatus.OK, 'runs on the cpu engine')
    assert task.values['why'] == 'device: cpu is asked for'
    assert task.values['power mode'] == '15W'


def test_a_gpu_that_was_given_up_is_a_warning_that_says_why() -> None:
    task = health.device_health(_status(failure='out of memory'))
    assert (task.level, task.message) == (
        DiagnosticStatus.WARN,
        'the GPU was given up: out of memory',
    )


def test_shares_of_the_routes_are_reported() -> None:
    values = health.detector_health(_status(steady_tokens=15, transient_tokens=5)).values
    assert values['transient share'] == '0.2500'


def test_the_message_names_the_node_the_task_and_the_artifact() -> None:
    tasks = health.running(WELL, QUIET)
    message = health.diagnostics_message(
        1_500_000_000, '/robot/taolora_detector', 'rosa.safetensors', tasks
    )
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)
    assert [status.name for status in message.status] == [
        'robot/taolora_detector: detector',
        'robot/taolora_detector: input',
        'robot/taolora_detector: speed',
        'robot/taolora_detector: device',
        'robot/taolora_detector: snapshots',
        'robot/taolora_detector: fidelity',
        'robot/taolora_detector: channel /imu:x',
    ]
    assert {status.hardware_id for status in message.status} == {'rosa.safetensors'}
    assert all(pair.value is not None for status in message.status for pair in status.values)


@pytest.mark.parametrize(
    ('changes', 'level', 'message'),
    [
        ({}, DiagnosticStatus.OK, 'off: shadow_fraction is 0'),
        ({'no_twin': 'saved without'}, DiagnosticStatus.WARN, 'off: saved without'),
        ({'agreement': Agreement()}, DiagnosticStatus.WARN, 'no hop compared yet'),
        (
            {'agreement': Agreement(dropped_stretches=2)},
            DiagnosticStatus.WARN,
            'no hop compared: the twin lacks time',
        ),
        (
            {'agreement': Agreement(hops=200, differing=2)},
            DiagnosticStatus.OK,
            '2 of 200 decisions differ from the FP32 twin',
        ),
        (
            {'agreement': Agreement(hops=200, differing=3)},
            DiagnosticStatus.WARN,
            '3 of 200 decisions differ from the FP32 twin',
        ),
    ],
)
def test_more_than_one_decision_in_a_hundred_that_4_bits_change_is_a_warning(
    changes: dict[str, object], level: bytes, message: str
) -> None:
    task = health.fidelity_health(_status(**changes))
    assert (task.level, task.message) == (level, message)


def test_the_differences_from_the_twin_are_told_in_decades() -> None:
    agreement = Agreement(200, 3, 0.01234, 0.5, 1)
    assert health.fidelity_health(_status(agreement=agreement)).values == {
        'hops compared': 200,
        'decisions that differ': 3,
        'mean difference in decades': '0.0123',
        'largest difference in decades': '0.5000',
        'stretches dropped': 1,
    }
